// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Ports;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>What one origin, one user or the mirror's guest can take: one more is refused with its reason, and everybody else is served.</summary>
public sealed class ShareTests
{
    private const uint Alice = 1001;
    private const uint Bob = 1002;

    [Fact]
    public void An_origin_has_no_more_queue_pairs_than_the_server_gives()
    {
        using var rig = new Rig(change: static config => config with { QueuesMax = 2 });
        using FrontEnd fits = rig.Connect();
        fits.Start(pairs: 2);
        Assert.Equal(2UL, fits.Ask(RequestCode.GetQueueNum));
        Assert.Equal(2, rig.Bridge.Last.QueuePairs);

        using FrontEnd declares = rig.Connect();
        declares.Negotiate();
        declares.SendInfo(pairs: 3);
        Assert.True(declares.IsClosed);
        AssertRefused(rig, "3 queue pairs are more than the 2 of queues-max=");

        using FrontEnd speaks = rig.Connect();
        speaks.Negotiate();
        speaks.SendFile(RequestCode.SetVringCall, 63, speaks.NewEvent());
        Assert.True(speaks.IsClosed);
        AssertRefused(rig, "32 queue pairs are more than the 2 of queues-max=");
        Assert.True(rig.Bridge.Last.Link);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(33)]
    public void Queue_pairs_are_limited_within_reason(uint most)
    {
        using var rig = new Rig();
        Assert.False(rig.Library.TryCreateServer(rig.Bridge, new FakeListener(), rig.Server.Config with { QueuesMax = most }, out _, out string error));
        Assert.Equal($"queues-max={most} must be between 1 and 32", error);
    }

    [Fact]
    public void Descriptors_are_kept_for_each_connections_first_pair()
    {
        // Three origins with 32 pairs, and all others with one.
        using var rig = new Rig(connections: 32);
        rig.Library.Descriptors.Limit = Budgets.CountDescriptors(32, 1) + (3 * 31 * Budgets.PairDescriptors);
        var large = new List<FrontEnd>();
        for (byte i = 0; i < 3; i++)
        {
            large.Add(rig.Connect());
            large[i].Start(name: $"large{i}", lastOfMac: i, pairs: 32);
            Assert.Equal(32, rig.Bridge.Last.QueuePairs);
        }

        using FrontEnd fourth = rig.Connect();
        fourth.Negotiate();
        fourth.SendInfo(pairs: 32);
        Assert.True(fourth.IsClosed);
        AssertRefused(rig, "32 queue pairs would take 124 more file descriptors, which are needed for others: raise the limit");

        using FrontEnd small = rig.Connect();
        small.Start(name: "small", lastOfMac: 100);
        Assert.True(rig.Bridge.Last.Link);

        // What one gives back another can have.
        large[0].Dispose();
        using FrontEnd next = rig.Connect();
        next.Start(name: "next", lastOfMac: 101, pairs: 32);
        Assert.Equal(32, rig.Bridge.Last.QueuePairs);
        large.ForEach(static origin => origin.Dispose());
    }

    [Fact]
    public void A_user_leaves_a_connection_for_each_other_one_that_may_come()
    {
        using var rig = new Rig(connections: 4, change: static config => config with { AllowUid = $"{Alice}:{Bob}" });
        FrontEnd[] alices = [.. Enumerable.Range(0, 4).Select(_ => rig.Connect(Alice))];
        rig.Host.Pump();
        Assert.Equal([false, false, false, true], alices.Select(static origin => origin.IsClosed));
        AssertRefused(rig, "the last 1 of 4 connections are kept for other users of allow-uid= (raise connections=)");
        using FrontEnd bob = rig.Connect(Bob);
        bob.Start();
        Assert.True(rig.Bridge.Last.Link);
        using FrontEnd another = rig.Connect(Bob);
        Assert.True(another.IsClosed);
        AssertRefused(rig, "all 4 connections are in use");
        Array.ForEach(alices, static origin => origin.Dispose());
    }

    [Theory]
    [InlineData(null, 2u)]
    [InlineData("1001", 2u)]
    [InlineData("1001:1001", 2u)]
    [InlineData("1001:1002", 1u)]
    [InlineData("1001:1002:1003:1004:1005:1006", 1u)]
    public void A_user_who_is_alone_or_first_finds_every_place(string? users, uint connections)
    {
        using var rig = new Rig(connections: connections, change: config => config with { AllowUid = users });
        var origins = new List<FrontEnd>();
        for (byte i = 0; i < connections; i++)
        {
            origins.Add(rig.Connect(Alice));
            origins[i].Start(lastOfMac: i);
            Assert.True(rig.Bridge.Last.Link);
        }

        Assert.Empty(rig.Log.Warnings);
        origins.ForEach(static origin => origin.Dispose());
    }

    [Fact]
    public void Many_users_have_half_of_the_places_kept_and_not_more()
    {
        using var rig = new Rig(connections: 4, change: static config => config with { AllowUid = "1001:1:2:3:4:5:6:7:8:9" });
        FrontEnd[] alices = [.. Enumerable.Range(0, 3).Select(_ => rig.Connect(Alice))];
        rig.Host.Pump();
        Assert.Equal([false, false, true], alices.Select(static origin => origin.IsClosed));
        Array.ForEach(alices, static origin => origin.Dispose());
    }

    [Fact]
    public void Slots_that_one_user_uses_up_are_not_the_last_ones()
    {
        using var rig = new Rig(connections: 4, slots: 4, change: static config => config with { AllowUid = $"{Alice}:{Bob}" });
        for (byte i = 0; i < 6; i++)
        {
            // Each time another device, which the guest does not let go.
            using FrontEnd alice = rig.Connect(Alice);
            alice.Negotiate();
            alice.SendInfo(name: "alice", lastOfMac: i);
        }

        Assert.Equal(3, rig.Bridge.Devices.Count);
        using FrontEnd bob = rig.Connect(Bob);
        bob.Start(name: "bob", lastOfMac: 100);
        Assert.Equal(4, rig.Bridge.Devices.Count);
        Assert.True(rig.Bridge.Last.Link);
    }

    [Fact]
    public void Room_is_kept_for_whoever_is_connected_too()
    {
        using var rig = new Rig(connections: 4);
        rig.Bridge.Window = new BridgeWindow(1UL << 36, (1UL << 36) + (20UL << 30) - 1);
        using FrontEnd bob = rig.Connect(Bob);
        bob.Negotiate();
        using FrontEnd first = rig.Connect(Alice);
        first.Start(lastOfMac: 1);
        using FrontEnd second = rig.Connect(Alice);
        second.Negotiate();
        second.SendInfo(memoryEnd: 16UL << 30, lastOfMac: 2);
        Assert.True(second.IsClosed);
        AssertRefused(rig, "the last slots are kept for other users (raise connections=)");
        bob.SendInfo(lastOfMac: 3);
        bob.Run();
        Assert.True(rig.Bridge.Last.Link);
        Assert.Equal(2, rig.Bridge.Devices.Count);
    }

    [Fact]
    public void New_devices_have_a_rate_for_each_user_and_returns_cost_nothing()
    {
        using var rig = new Rig(change: static config => config with { UnplugDelay = 10 });
        int burst = Budgets.PlugBurst(4);
        for (int i = 0; i < burst; i++)
        {
            Come(Alice, (byte)i);
            Assert.Equal(i + 1, rig.Bridge.Devices.Count);
            if (i != burst - 1)
            {
                rig.Bridge.Last.Remove();
            }
        }

        Come(Alice, 200);
        AssertRefused(rig, "its user's origins had too many new devices: the next in 1 s (raise plug-rate=, which is 60 a minute)");
        Come(Alice, (byte)(burst - 1));
        Assert.Equal(burst, rig.Bridge.Devices.Count);
        Assert.Equal(1UL, rig.Server.Refused);
        Come(Bob, 201);
        Assert.Equal(burst + 1, rig.Bridge.Devices.Count);
        rig.Host.Advance(1000);
        Come(Alice, 200);
        Assert.Equal(burst + 2, rig.Bridge.Devices.Count);
        Assert.Equal(1UL, rig.Server.Refused);

        void Come(uint user, byte mac)
        {
            using FrontEnd origin = rig.Connect(user);
            origin.Negotiate();
            origin.SendInfo(lastOfMac: mac);
            rig.Host.Pump();
        }
    }

    [Fact]
    public void One_users_refusals_do_not_hide_anothers()
    {
        using var rig = new Rig();
        for (int i = 0; i < 100; i++)
        {
            using FrontEnd alice = rig.Connect(Alice);
            alice.Send((RequestCode)99);
        }

        using FrontEnd bob = rig.Connect(Bob);
        bob.Send((RequestCode)98);
        Assert.Equal(Budgets.LogLines + 1, rig.Log.Warnings.Length);
        Assert.Contains("uid 1002: unknown request 98", rig.Log.Warnings[^1], StringComparison.Ordinal);
        Assert.Equal(101UL, rig.Server.Refused);
    }

    [Fact]
    public void Ever_new_users_share_what_is_left()
    {
        using var rig = new Rig();
        for (uint user = 1; user <= 10 * Budgets.Accounts; user++)
        {
            using FrontEnd origin = rig.Connect(user);
            origin.Send((RequestCode)99);
        }

        Assert.Equal(Budgets.Accounts + Budgets.LogLines, rig.Log.Warnings.Length);
    }

    [Fact]
    public void A_place_that_nobody_uses_goes_to_whoever_needs_one()
    {
        using var rig = new Rig(connections: 2);
        using FrontEnd works = rig.Connect();
        works.Start();
        using FrontEnd idle = rig.Connect();
        idle.Negotiate();
        using (FrontEnd early = rig.Connect())
        {
            Assert.True(early.IsClosed);
        }

        rig.Host.Advance(Budgets.SilenceTimeout);
        Assert.False(idle.IsClosed);
        using FrontEnd comes = rig.Connect();
        comes.Start(lastOfMac: 2);
        Assert.True(rig.Bridge.Last.Link);
        idle.TryReceiveAny();
        Assert.True(idle.IsClosed);
        AssertRefused(rig, "it has given neither device info nor memory for 30 s, and somebody else needs its place");
        Assert.True(rig.Bridge.Devices[0].Link);
    }

    [Fact]
    public void A_guest_that_changes_its_mind_without_end_is_heard_at_a_rate()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        for (int i = 0; i < 1001; i++)
        {
            device.WriteDriver(driver: i % 2 == 0 ? GuestAbi.DriverDown : 0);
        }

        Assert.Equal(Budgets.NewsBurst, Count(out _));
        rig.Host.Advance(1000);
        Assert.Equal(1, Count(out ulong last));
        Assert.Equal(0UL, last);
        Assert.False(origin.IsClosed);
        rig.Host.Advance(60_000);
        Assert.Equal(0, Count(out _));

        int Count(out ulong last)
        {
            last = ulong.MaxValue;
            int count = 0;
            while (origin.TryReceiveRequest() is { } request)
            {
                Assert.Equal(BackEndRequest.SetLink, request.Request);
                last = request.Value;
                count++;
            }

            return count;
        }
    }

    [Theory]
    [InlineData(false, LogLevel.Information, false)]
    [InlineData(true, LogLevel.Information, true)]
    [InlineData(false, LogLevel.Debug, true)]
    public void What_nobody_sees_is_not_formatted(bool traced, LogLevel level, bool formatted)
    {
        var host = new Tracing(traced);
        var logger = new ServerLogger(host, level);
        ServerLog.Plugged(logger, "id", "name", 1, 2, "device", 3);
        Assert.Equal(formatted, host.Lines != 0);
    }

    private static void AssertRefused(Rig rig, string reason)
    {
        Assert.Contains(rig.Log.Warnings, line => line.Contains(reason, StringComparison.Ordinal));
        using JsonDocument report = JsonDocument.Parse(rig.Library.ReportJson(Rig.Runtime));
        Assert.Contains(reason, report.RootElement.GetProperty("servers")[0].GetProperty("last-refusal").GetString(), StringComparison.Ordinal);
    }

    private sealed class Tracing(bool on) : ILogger
    {
        internal int Lines { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => on || logLevel != LogLevel.Debug;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Assert.True(IsEnabled(logLevel));
            Assert.NotEmpty(formatter(state, exception));
            Lines++;
        }
    }
}
