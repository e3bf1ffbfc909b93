// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

public sealed class OperabilityTests
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Everybody = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    [Theory]
    [InlineData("0", new uint[] { 0 })]
    [InlineData("0:1000", new uint[] { 0, 1000 })]
    [InlineData("1000,0,4294967294", new uint[] { 1000, 0, 4294967294 })]
    public void Uids_are_read(string text, uint[] expected)
    {
        Assert.True(UidFilter.TryParse(text, out UidFilter filter, out _));
        Assert.Equal(expected, filter.Uids);
        Assert.All(expected, uid => Assert.True(filter.Allows(uid)));
        Assert.False(filter.Allows(77));
    }

    [Theory]
    [InlineData("")]
    [InlineData("root")]
    [InlineData("0:")]
    [InlineData("-1")]
    [InlineData(" 0")]
    [InlineData("4294967295")]
    [InlineData("99999999999")]
    public void What_is_not_a_uid_is_an_error_with_an_example(string text)
    {
        Assert.False(UidFilter.TryParse(text, out _, out string error));
        Assert.Contains("allow-uid=0:1000", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, OwnerOnly)]
    [InlineData("1000", OwnerOnly)]
    [InlineData("0:1000", OwnerOnly)]
    [InlineData("1001", Everybody)]
    public void The_socket_is_its_owners_unless_others_are_named(string? allow, UnixFileMode expected)
    {
        using var rig = new Rig(change: config => config with { SocketPath = "/run/s", AllowUid = allow, Uid = 1000 });
        Assert.Equal([("/run/s", expected)], rig.Listener.Modes);
    }

    [Fact]
    public void A_socket_that_the_user_handed_in_is_left_alone()
    {
        using var rig = new Rig();
        Assert.Empty(rig.Listener.Modes);
    }

    [Fact]
    public void A_socket_that_cannot_be_protected_is_not_used()
    {
        using var rig = new Rig();
        rig.Listener.ModeFailure = "nobody knows";
        ServerConfig config = rig.Server.Config with { SocketPath = "/run/s" };
        Assert.False(rig.Library.TryCreateServer(rig.Bridge, rig.Listener, config, out _, out string error));
        Assert.Contains("nobody knows", error, StringComparison.Ordinal);
        Assert.False(rig.Library.TryCreateServer(rig.Bridge, rig.Listener, config with { AllowUid = "x" }, out _, out error));
        Assert.Contains("allow-uid=x", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_stranger_is_refused_with_one_line()
    {
        // No process of ours has this user.
        using var rig = new Rig(change: config => config with { AllowUid = "4294967294" });
        using FrontEnd origin = rig.Connect();
        Assert.True(origin.IsClosed);
        string line = Assert.Single(rig.Log.Warnings);
        Assert.Contains("allow-uid", line, StringComparison.Ordinal);
        Assert.Contains($"pid {Environment.ProcessId}", line, StringComparison.Ordinal);
        Assert.Equal((1UL, 1UL), (rig.Server.Accepted, rig.Server.Refused));
        using JsonDocument document = JsonDocument.Parse(rig.Library.ReportJson(Rig.Runtime));
        JsonElement server = document.RootElement.GetProperty("servers")[0];
        Assert.Contains("allow-uid", server.GetProperty("last-refusal").GetString(), StringComparison.Ordinal);
        Assert.Equal(4294967294, server.GetProperty("allow-uid")[0].GetInt64());
    }

    [Fact]
    public void The_log_level_can_be_changed_at_any_time()
    {
        using var rig = new Rig();
        using FrontEnd first = rig.Connect();
        first.Start();
        Assert.DoesNotContain(rig.Log.Lines, line => line.Level == LogLevel.Information);
        Assert.Contains(rig.Log.Lines, line => line.Level == LogLevel.Debug);

        rig.Server.LogLevel = LogLevel.Debug;
        using FrontEnd second = rig.Connect();
        second.Start();
        Assert.Contains(rig.Log.Lines, line => line.Level == LogLevel.Information && line.Text.Contains("link up", StringComparison.Ordinal));

        rig.Server.LogLevel = LogLevel.Error;
        second.Send((RequestCode)63);
        Assert.Empty(rig.Log.Warnings);
        Assert.Equal(1UL, rig.Server.Refused);

        rig.Server.LogLevel = LogLevel.Warning;
        first.Send((RequestCode)63);
        Assert.Single(rig.Log.Warnings);
    }

    [Fact]
    public void Counters_count()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.Equal((1UL, 0UL, 1, 1), (rig.Server.Accepted, rig.Server.Refused, rig.Server.ConnectionCount, rig.Server.DeviceCount));
        ulong messages = rig.Server.Messages;
        _ = origin.Ask(RequestCode.GetFeatures);
        Assert.Equal(messages + 1, rig.Server.Messages);
        origin.Dispose();
        Assert.Equal((0, 1), (rig.Server.ConnectionCount, rig.Server.DeviceCount));
    }

    [Fact]
    public void The_report_has_the_memory_regions_and_who_the_origin_is()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        using JsonDocument document = JsonDocument.Parse(rig.Library.ReportJson(Rig.Runtime));
        JsonElement server = document.RootElement.GetProperty("servers")[0];
        Assert.Equal("info", server.GetProperty("log-level").GetString());
        JsonElement peer = server.GetProperty("peers")[0];
        Assert.Equal("52:54:00:00:00:01", peer.GetProperty("origin-mac").GetString());
        Assert.Equal(1500, peer.GetProperty("mtu").GetInt32());
        JsonElement region = Assert.Single(peer.GetProperty("memory").EnumerateArray());
        Assert.Equal(FrontEnd.MemorySize, region.GetProperty("size").GetUInt64());
        Assert.Equal(0UL, region.GetProperty("address").GetUInt64());
    }
}
