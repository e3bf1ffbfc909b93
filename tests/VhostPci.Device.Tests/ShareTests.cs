// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Limits;
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

        // The next one waits, and has its device when its time has come.
        using FrontEnd waits = rig.Connect(Alice);
        waits.Start(lastOfMac: 200);
        Assert.EndsWith(
            "waits 1 s: its user's origins had too many new devices (raise plug-rate=, which is 60 a minute)", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Come(Alice, (byte)(burst - 1));
        Assert.Equal(burst, rig.Bridge.Devices.Count);
        Come(Bob, 201);
        Assert.Equal(burst + 1, rig.Bridge.Devices.Count);
        rig.Host.Advance(999);
        Assert.Equal(burst + 1, rig.Bridge.Devices.Count);
        rig.Host.Advance(1);
        Assert.Equal(burst + 2, rig.Bridge.Devices.Count);
        Assert.True(rig.Bridge.Last.Link);
        Assert.Equal(0UL, rig.Server.Refused);
        Assert.Single(rig.Log.Warnings);

        void Come(uint user, byte mac)
        {
            using FrontEnd origin = rig.Connect(user);
            origin.Negotiate();
            origin.SendInfo(lastOfMac: mac);
            rig.Host.Pump();
        }
    }

    [Fact]
    public void A_larger_device_in_place_of_another_has_no_rate()
    {
        using var rig = new Rig(change: static config => config with { PlugRate = 1 });
        for (int i = 1; i < Budgets.PlugBurst(4); i++)
        {
            using FrontEnd other = rig.Connect(Alice);
            other.Negotiate();
            other.SendInfo(lastOfMac: (byte)i);
            other.Dispose();
            rig.Bridge.Last.Remove();
        }

        using FrontEnd grows = rig.Connect(Alice);
        grows.Start(lastOfMac: 100);
        Grow(grows);
        Assert.Equal(8UL << 30, rig.Bridge.Last.Device.WindowSize);
        Assert.False(grows.IsClosed);
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void Who_waits_makes_one_devices_origin_lose_it_and_not_another_users_only_one()
    {
        using var rig = new Rig(connections: 4, slots: 4, change: static config => config with { UnplugDelay = 600 });
        FakeDevice[] alices = [.. Enumerable.Range(1, 3).Select(i => Come(Alice, (byte)i))];
        FakeDevice bobs = Come(Bob, 100);

        using FrontEnd another = rig.Connect(Alice);
        another.Negotiate();
        another.SendInfo(lastOfMac: 4);
        Assert.Equal([1, 0, 0], alices.Select(static device => device.UnplugRequests));
        Assert.Equal(0, bobs.UnplugRequests);
        alices[0].Remove();
        Assert.Equal(5, rig.Bridge.Devices.Count);

        // Another user's, while he has more.
        using FrontEnd carol = rig.Connect(1003);
        carol.Negotiate();
        carol.SendInfo(lastOfMac: 5);
        Assert.Equal([1, 1, 0], alices.Select(static device => device.UnplugRequests));
        Assert.Equal(0, bobs.UnplugRequests);
        alices[1].Remove();
        Assert.Equal(6, rig.Bridge.Devices.Count);

        // Alice has two, Bob and Carol one each.
        using FrontEnd last = rig.Connect(Alice);
        last.Negotiate();
        last.SendInfo(lastOfMac: 6);
        Assert.Equal(1, alices[2].UnplugRequests);
        alices[2].Remove();
        Assert.Equal(7, rig.Bridge.Devices.Count);
        another.Dispose();
        last.Dispose();
        using FrontEnd bob = rig.Connect(Bob);
        bob.Start(lastOfMac: 100);
        Assert.True(bobs.Link);
        Assert.Equal(0, bobs.UnplugRequests);

        FakeDevice Come(uint user, byte mac)
        {
            using FrontEnd origin = rig.Connect(user);
            origin.Negotiate();
            origin.SendInfo(lastOfMac: mac);
            return rig.Bridge.Last;
        }
    }

    [Fact]
    public void Who_is_over_the_rate_makes_no_devices_origin_lose_it()
    {
        using var rig = new Rig(connections: 4, slots: 4, change: static config => config with { UnplugDelay = 600, PlugRate = 1 });
        for (int i = 0; i < Budgets.PlugBurst(4); i++)
        {
            Come(Alice, (byte)i);
            if (i < Budgets.PlugBurst(4) - 1)
            {
                rig.Bridge.Last.Remove();
            }
        }

        FakeDevice[] away = [rig.Bridge.Last, Come(Bob, 101), Come(Bob, 102), Come(Bob, 103)];
        Come(Alice, 200);
        Assert.All(away, static device => Assert.Equal(0, device.UnplugRequests));

        FakeDevice Come(uint user, byte mac)
        {
            using FrontEnd origin = rig.Connect(user);
            origin.Negotiate();
            origin.SendInfo(lastOfMac: mac);
            return rig.Bridge.Last;
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

        // Those whose budgets are full again make room for others.
        rig.Host.Advance((long)Budgets.LogPeriod.TotalMilliseconds);
        for (uint user = 10_001; user <= 10_000 + Budgets.Accounts; user++)
        {
            using FrontEnd origin = rig.Connect(user);
            origin.Send((RequestCode)99);
        }

        Assert.Equal((2 * Budgets.Accounts) + Budgets.LogLines, rig.Log.Warnings.Length);
    }

    [Fact]
    public void Users_who_may_not_connect_take_no_account()
    {
        using var rig = new Rig(change: static config => config with { AllowUid = $"{Alice}:{Bob}" });
        for (uint user = 2001; user <= 2000 + (2 * Budgets.Accounts); user++)
        {
            using FrontEnd origin = rig.Connect(user);
        }

        Assert.Equal(Budgets.LogLines, rig.Log.Warnings.Length);
        using FrontEnd bob = rig.Connect(Bob);
        bob.Send((RequestCode)98);
        Assert.Contains("uid 1002: unknown request 98", rig.Log.Warnings[^1], StringComparison.Ordinal);
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
    public void An_idle_connection_makes_room_for_its_own_user_or_one_with_fewer()
    {
        using var rig = new Rig(connections: 4);
        using FrontEnd bobs = rig.Connect(Bob);
        bobs.Negotiate();
        using FrontEnd works = rig.Connect(Alice);
        works.Start();
        using FrontEnd first = rig.Connect(Alice);
        first.Negotiate();
        using FrontEnd second = rig.Connect(Alice);
        second.Negotiate();
        rig.Host.Advance(Budgets.SilenceTimeout);

        // Each has an idle one: Alice's next one takes her own, and then none is left but Bob's only one.
        using FrontEnd third = rig.Connect(Alice);
        third.Negotiate();
        Assert.Equal([false, false, true], Closed(bobs, first, second));
        using FrontEnd fourth = rig.Connect(Alice);
        fourth.Negotiate();
        Assert.Equal([false, true, false], Closed(bobs, first, third));
        using (FrontEnd fifth = rig.Connect(Alice))
        {
            Assert.True(fifth.IsClosed);
            AssertRefused(rig, "all 4 connections are in use (raise connections=)");
        }

        Assert.False(bobs.IsClosed);

        // Somebody without any takes one of hers.
        rig.Host.Advance(Budgets.SilenceTimeout);
        using FrontEnd carol = rig.Connect(1003);
        carol.Start(lastOfMac: 3);
        Assert.True(rig.Bridge.Last.Link);
        Assert.Equal([false, false, true], Closed(bobs, third, fourth));

        static bool[] Closed(params FrontEnd[] origins) => [.. origins.Select(static origin =>
        {
            origin.TryReceiveAny();
            return origin.IsClosed;
        })];
    }

    [Fact]
    public void News_of_a_device_that_is_gone_do_not_keep_the_clock_running()
    {
        using var rig = new Rig(connections: 1, slots: 1);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        for (int i = 0; i <= Budgets.NewsBurst; i++)
        {
            device.WriteDriver(driver: i % 2 == 0 ? GuestAbi.DriverDown : 0);
        }

        // It waits for a larger one, for as long as the guest does not let go of this one.
        Grow(origin);
        Assert.Contains(rig.Peers(), static peer => peer.GetProperty("state").GetString() == "waiting-for-slot");
        Assert.Equal(2, rig.Host.Timers);
        rig.Host.Advance(1001);
        Assert.Equal(1, rig.Host.Timers);
        device.Remove();
        Assert.Equal(2, rig.Bridge.Devices.Count);
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
        Origins.OriginLog.Plugged(logger, "id", "name", 1, 2, "device", 3);
        Assert.Equal(formatted, host.Lines != 0);
    }

    /// <summary>Memory beyond its window.</summary>
    private static void Grow(FrontEnd origin)
    {
        ulong high = 4UL << 30;
        origin.SendTable((FrontEnd.Region, origin.Memory!), (new(high, 1 << 20, FrontEnd.UserBase + high, 0), origin.NewMemory(1 << 20)));
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
