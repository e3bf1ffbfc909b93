// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

/// <summary>Pairs come one by one without a withdrawal, and go together (docs/adr/0013).</summary>
public sealed class MultiQueueTests
{
    private const int Pairs = 4;

    public static TheoryData<string> Orders
    {
        get
        {
            var orders = new TheoryData<string>();
            foreach (string order in Permutations("0123"))
            {
                orders.Add(order);
            }

            return orders;
        }
    }

    [Fact]
    public void A_device_has_the_rings_that_its_origin_announces()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo(pairs: 32);
        Assert.Equal(64, rig.Bridge.Last.Plan.Rings);
        Assert.Equal(NetConfigAt.Size(64), rig.Bridge.Last.Plan.ConfigSize);
        Assert.Equal(0, rig.Bridge.Last.QueuePairs);
    }

    [Fact]
    public void A_device_of_another_front_end_has_the_rings_spoken_of_before_the_memory()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate(ProtocolFeatures.MultiQueue);
        for (uint i = 0; i < 5; i++)
        {
            origin.SendFile(RequestCode.SetVringCall, i, origin.NewEvent());
        }

        origin.Run();
        Assert.Equal(6, rig.Bridge.Last.Plan.Rings);
        Assert.True(rig.Bridge.Last.Link);
        Assert.Equal(1, rig.Bridge.Last.QueuePairs);
        Assert.Empty(rig.Log.Warnings);

        origin.SendState(RequestCode.SetVringNum, 6, 256);
        Assert.Contains("ring 6 of 6", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.True(origin.IsClosed);
    }

    [Fact]
    public void Thirty_two_pairs_run()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start(pairs: 32);
        FakeDevice device = rig.Bridge.Last;
        Assert.True(device.Link);
        Assert.Equal(32, device.QueuePairs);
        Assert.All(Enumerable.Range(0, 64), ring => Assert.True(device.HasRing(ring)));
        Assert.All(Enumerable.Range(0, 64), ring => Assert.Equal(1, device.Raised[ring]));
        Assert.Empty(rig.Log.Warnings);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public void Pairs_start_in_any_order_and_the_link_is_the_first_ones(string order)
    {
        using Four four = new(start: false);
        var started = new HashSet<int>();
        foreach (int pair in order.Select(digit => digit - '0'))
        {
            bool wasUp = four.Device.Link;
            uint epoch = four.Device.Epoch;
            int[] raised = [.. four.Device.Raised];
            four.Device.Events.Clear();
            four.Origin.SendPair((uint)pair);
            started.Add(pair);

            Assert.Equal(started.Contains(0), four.Device.Link);
            four.AssertShows(started.Contains(0) ? started : []);
            if (wasUp)
            {
                // One step, nothing withdrawn, and only the new rings are looked at.
                Assert.Equal(epoch + 1, four.Device.Epoch);
                Assert.Equal([$"config link=1 mapped={FrontEnd.MemorySize}"], four.Device.Events);
                for (int ring = 0; ring < 2 * Pairs; ring++)
                {
                    Assert.Equal(raised[ring] + (ring / 2 == pair ? 1 : 0), four.Device.Raised[ring]);
                }
            }
        }

        Assert.Empty(four.Rig.Log.Warnings);
    }

    [Theory]
    [InlineData(2U)]
    [InlineData(5U)]
    [InlineData(7U)]
    public void A_stopped_ring_is_out_of_sight_before_the_reply_and_the_other_pairs_come_back(uint ring)
    {
        using Four four = new();
        four.Origin.Poke(FrontEnd.RingAddress(ring) - FrontEnd.UserBase + 0x3002, 99);
        Assert.Equal(new VringState(ring, 99), four.Origin.AskBase(ring));
        Assert.False(four.Device.Link);
        Assert.Equal(0UL, four.Device.Device.MappedBytes);
        four.AssertShows([]);

        // The second of the pair is not in use any more, so stopping it changes nothing.
        uint epoch = four.Device.Epoch;
        Assert.Equal(0U, four.Origin.AskBase(ring ^ 1).Value);
        Assert.Equal(epoch, four.Device.Epoch);

        four.Device.Acknowledge(epoch);
        Assert.True(four.Device.Link);
        four.AssertShows(Enumerable.Range(0, Pairs).Where(pair => pair != ring / 2));

        four.Origin.SendPair(ring / 2);
        four.AssertShows(Enumerable.Range(0, Pairs));
        Assert.Equal(epoch + 2, four.Device.Epoch);
    }

    [Fact]
    public void A_pair_that_is_stopped_while_the_driver_has_not_let_go_yet_does_not_come_back()
    {
        using Four four = new();
        four.Origin.AskBase(2);
        four.Origin.AskBase(4);
        Assert.False(four.Device.Link);
        four.Device.Acknowledge(four.Device.Epoch);
        four.AssertShows([0, 3]);
    }

    [Fact]
    public void A_disabled_pair_goes_and_an_enabled_one_comes()
    {
        using Four four = new();
        four.Origin.SendState(RequestCode.SetVringEnable, 6, 0);
        Assert.Equal(0UL, four.Device.Device.MappedBytes);
        four.Origin.SendState(RequestCode.SetVringEnable, 7, 0);
        four.Device.Acknowledge(four.Device.Epoch);
        four.AssertShows([0, 1, 2]);
        four.Origin.SendState(RequestCode.SetVringEnable, 7, 1);
        four.AssertShows([0, 1, 2]);
        four.Origin.SendState(RequestCode.SetVringEnable, 6, 1);
        four.AssertShows([0, 1, 2, 3]);
        Assert.True(four.Device.Link);
    }

    [Fact]
    public void Without_the_first_pair_the_link_is_down()
    {
        using Four four = new();
        four.Origin.AskBase(0);
        four.Device.Acknowledge(four.Device.Epoch);
        Assert.False(four.Device.Link);
        Assert.Equal(0UL, four.Device.Device.MappedBytes);
        four.Origin.SendPair(0);
        four.AssertShows([0, 1, 2, 3]);
    }

    [Fact]
    public void A_pair_that_starts_before_the_acknowledgement_comes_with_the_others()
    {
        using Four four = new();
        four.Origin.AskBase(2);
        four.Origin.AskBase(3);
        four.Origin.SendPair(1);
        Assert.False(four.Device.Link);
        four.Device.Acknowledge(four.Device.Epoch);
        four.AssertShows([0, 1, 2, 3]);
    }

    [Fact]
    public void An_eventfd_of_a_pair_that_does_not_run_is_not_bound()
    {
        using Four four = new(start: false);
        four.Origin.SendPair(0);
        four.Origin.SendRing(2);
        four.Origin.SendFile(RequestCode.SetVringKick, 2, four.Origin.NewEvent());
        Assert.Equal(-1, four.Device.Bound(2, RingEndpoint.Kick));
        uint epoch = four.Device.Epoch;
        four.Origin.SendFile(RequestCode.SetVringKick, 2, null);
        Assert.Equal(epoch, four.Device.Epoch);
        Assert.True(four.Device.Link);
    }

    [Fact]
    public void A_later_pair_whose_ring_is_not_in_memory_ends_the_connection()
    {
        using Four four = new(start: false);
        four.Origin.SendPair(0);
        four.Origin.SendAddress(2, FrontEnd.UserBase + (1UL << 40));
        four.Origin.SendState(RequestCode.SetVringNum, 2, 256);
        four.Origin.SendFile(RequestCode.SetVringKick, 2, four.Origin.NewEvent());
        four.Origin.SendState(RequestCode.SetVringEnable, 2, 1);
        four.Origin.SendPair(3);
        four.AssertShows([0, 3]);
        four.Origin.SendRing(3);
        four.Origin.SendState(RequestCode.SetVringEnable, 3, 1);
        Assert.Contains("is not inside one memory region", Assert.Single(four.Rig.Log.Warnings), StringComparison.Ordinal);
        Assert.Equal(0UL, four.Device.Device.MappedBytes);
    }

    [Fact]
    public void A_later_pair_that_cannot_be_bound_ends_the_connection()
    {
        using Four four = new(start: false);
        four.Origin.SendPair(0);
        four.Device.BindFails = true;
        four.Origin.SendPair(1);
        Assert.Contains("eventfds of its rings could not be bound", Assert.Single(four.Rig.Log.Warnings), StringComparison.Ordinal);
        four.Origin.Dispose();
        four.Rig.AssertNothingLeft();
    }

    [Fact]
    public void Device_info_with_too_many_pairs()
        => AssertRefused(origin => origin.SendInfo(pairs: 33), "33 queue pairs: 32 are the most");

    [Fact]
    public void Device_info_with_fewer_pairs_than_spoken_of() => AssertRefused(
        origin =>
        {
            origin.SendFile(RequestCode.SetVringCall, 5, origin.NewEvent());
            origin.SendInfo(pairs: 2);
        },
        "2 queue pairs after it had spoken of ring 5");

    [Fact]
    public void A_static_device_takes_origins_with_at_most_its_queues()
    {
        using var rig = new Rig();
        FakeDevice one = rig.AddStatic(new StaticConfig { Id = "one" });
        FakeDevice four = rig.AddStatic(new StaticConfig { Id = "four", QueuePairs = 4 });
        Assert.Equal(8, four.Plan.Rings);
        using FrontEnd first = rig.Connect();
        first.Start(pairs: 3);
        Assert.False(one.Link);
        Assert.Equal(3, four.QueuePairs);
        Assert.False(four.HasRing(6));
        Assert.Contains("which has 3 queue pairs: queues=1 is too few", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);

        first.Dispose();
        using FrontEnd second = rig.Connect();
        second.Start(pairs: 4);
        Assert.Equal(4, four.QueuePairs);
        second.SendState(RequestCode.SetVringNum, 8, 256);
        Assert.True(second.IsClosed);
        Assert.Equal(2, rig.Bridge.Devices.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(33)]
    public void A_static_device_with_an_impossible_number_of_queues(int pairs)
    {
        using var rig = new Rig();
        Assert.False(rig.Server.TryCreateStatic(new StaticConfig { Id = "x", QueuePairs = pairs }, out _, out string error));
        Assert.Contains("between 1 and 32", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(4, true)]
    [InlineData(5, false)]
    public void An_origin_returns_to_its_device_when_that_has_enough_queues(ushort pairs, bool returns)
    {
        using var rig = new Rig(change: config => config with { UnplugDelay = 3000 });
        FrontEnd first = rig.Connect();
        first.Start(pairs: Pairs);
        first.Dispose();
        using FrontEnd second = rig.Connect();
        second.Start(pairs: pairs);
        Assert.Equal(returns ? 1 : 2, rig.Bridge.Devices.Count);
        Assert.Equal(pairs, rig.Bridge.Last.QueuePairs);
    }

    private static void AssertRefused(Action<FrontEnd> act, string reason)
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        act(origin);
        Assert.Contains(reason, Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.True(origin.IsClosed);
        Assert.Empty(rig.Bridge.Devices);
    }

    private static IEnumerable<string> Permutations(string digits)
        => digits.Length < 2
            ? [digits]
            : digits.SelectMany((digit, at) => Permutations(digits.Remove(at, 1)).Select(rest => digit + rest));

    /// <summary>An origin with four pairs and a mirror whose driver is there.</summary>
    private sealed class Four : IDisposable
    {
        internal Four(bool start = true)
        {
            Origin = Rig.Connect();
            Origin.Negotiate();
            Origin.SendInfo(pairs: Pairs);
            Device = Rig.Bridge.Last;
            Device.StartDriver();
            Origin.Send(RequestCode.SetFeatures, FrontEnd.Features | VirtioNetFeatures.MultiQueue);
            Origin.SendMemory();
            for (uint pair = 0; start && pair < Pairs; pair++)
            {
                Origin.SendPair(pair);
            }
        }

        internal Rig Rig { get; } = new();

        internal FrontEnd Origin { get; }

        internal FakeDevice Device { get; }

        internal void AssertShows(IEnumerable<int> pairs)
        {
            int[] expected = [.. pairs.Order()];
            Assert.Equal(expected, Enumerable.Range(0, Pairs).Where(pair => Device.HasRing(2 * pair)));
            Assert.Equal(expected, Enumerable.Range(0, Pairs).Where(pair => Device.HasRing((2 * pair) + 1)));
            Assert.Equal(expected.Length, Device.QueuePairs);
        }

        public void Dispose()
        {
            Origin.Dispose();
            Rig.Dispose();
        }
    }
}
