// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Ports;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Memory;

namespace VhostPci.Device.Tests;

/// <summary>What the monitor says in the less common states.</summary>
public sealed class ReportDetailTests
{
    [Fact]
    public void A_process_without_servers_and_clients_says_so()
    {
        var host = new FakeHost();
        using var log = new LogList();
        var library = new VhostPciLibrary(host, new WindowFactory(), log, host.Time);
        Assert.StartsWith("no vhost-pci-server and no vhost-pci-client\n", Text(library), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LogLevel.Debug, "debug")]
    [InlineData(LogLevel.Information, "info")]
    [InlineData(LogLevel.Warning, "warning")]
    [InlineData(LogLevel.Error, "error")]
    public void The_log_level_has_the_name_that_the_option_takes(LogLevel level, string name)
    {
        using var rig = new Rig(change: config => config with { LogLevel = level });
        Assert.Contains($"log level {name},", Text(rig.Library), StringComparison.Ordinal);
    }

    [Fact]
    public void A_static_device_without_an_origin_waits()
    {
        using var rig = new Rig(change: static config => config with { AllowUid = "0:1000" });
        rig.AddStatic(new StaticConfig { Id = "nic0" });
        string text = Text(rig.Library);
        Assert.Contains("users: 0 1000\n", text, StringComparison.Ordinal);
        Assert.Contains("  no connection: waiting for an origin\n", text, StringComparison.Ordinal);
        Assert.Contains("device nic0 (static), ", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_on_a_port_of_the_users_is_shown_there()
    {
        using var rig = new Rig(connections: 1, slots: 1, change: static config => config with { SlotBuses = ["rp7"] });
        rig.Bridge.Ports["rp7"] = new BridgeWindow(1UL << 36, (1UL << 37) - 1);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.Contains("on bus rp7, ", Text(rig.Library), StringComparison.Ordinal);
    }

    [Fact]
    public void A_window_without_a_place_is_a_state_of_its_own()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        rig.Bridge.Last.Device.SetStatus(FakeDevice.DriverOk, ulong.MaxValue);
        Assert.Equal("no-window", rig.Peers()[0].GetProperty("state").GetString());
    }

    [Fact]
    public void A_server_without_room_is_not_made()
    {
        using var rig = new Rig();
        ServerConfig config = rig.Server.Config with { Connections = 0 };
        Assert.False(rig.Library.TryCreateServer(rig.Bridge, rig.Listener, config, out VhostPciServer? server, out string error));
        Assert.Null(server);
        Assert.Contains("connections=0", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_feature_bits_are_shown_as_numbers()
    {
        Assert.Equal("csum bit50", NetFeatureNames.Format(1 | (1UL << 50)));
        Assert.Equal("none", NetFeatureNames.Format(0));
    }

    [Fact]
    public void Lines_below_the_level_are_dropped_wherever_they_come_from()
    {
        using var log = new LogList();
        var logger = new ServerLogger(log, LogLevel.Error);
        logger.Log(LogLevel.Warning, default, "dropped", null, static (text, _) => text);
        logger.Log(LogLevel.Error, default, "kept", null, static (text, _) => text);
        Assert.Null(logger.BeginScope("nothing"));
        Assert.Equal([(LogLevel.Error, "kept")], log.Lines);
    }

    [Fact]
    public void Slots_outside_of_the_bus_are_not_given()
    {
        var slots = new SlotAllocator(4);
        Assert.False(slots.TryTake(-1));
        Assert.False(slots.TryTake(4));
        Assert.True(slots.TryTake(3));
        Assert.False(slots.TryTake(3));
        Assert.Equal(1, slots.Used);
        slots.Free(3);
        Assert.Throws<InvalidOperationException>(() => slots.Free(3));
    }

    private static string Text(VhostPciLibrary library) => Encoding.UTF8.GetString(library.ReportText(Rig.Runtime, verbose: true));
}
