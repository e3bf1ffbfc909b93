// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text.Json;
using VhostPci.Device.Clients;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Files;
using VhostPci.Linux.Memory;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>Packed rings: their size, and where they stand (decision 0018).</summary>
public sealed class PackedTests
{
    private const uint Entries = 100;
    private const ushort Returned = PackedRing.Available | PackedRing.Used;

    private static ulong Packed => FrontEnd.Features | VirtioFeatures.RingPacked;

    [Fact]
    public void A_packed_ring_of_any_size_is_shown_to_the_driver()
    {
        using Session run = new();
        run.Start(0x8000);
        Assert.True(run.Device.Link);
        Assert.Equal(FrontEnd.ShownFeatures | VirtioFeatures.RingPacked, run.Device.Read64(GuestAbi.Config.Features));
        Assert.Equal(Entries, run.Device.Read32(NetConfigAt.Rings + GuestAbi.Ring.Entries));
        Assert.Empty(run.Rig.Log.Warnings);
    }

    [Fact]
    public void Its_areas_may_end_with_the_memory()
    {
        using Session run = new();
        run.Start(0x8000, start: false);
        SendAddress(run.Origin, 0, 0, FrontEnd.MemorySize - 4, FrontEnd.MemorySize - 8);
        SendAddress(run.Origin, 1, FrontEnd.MemorySize - (16 * Entries), 0x4000, 0x4004);
        run.Enable();
        Assert.True(run.Device.Link);
    }

    [Fact]
    public void A_split_ring_of_such_a_size_is_refused_also_when_the_features_come_last()
    {
        Refused(origin => origin.SendState(RequestCode.SetVringNum, 0, Entries), "a split ring of 100 entries");
        Refused(
            origin =>
            {
                origin.Send(RequestCode.SetFeatures, Packed);
                SendRings(origin, 0x8000);
                origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
                origin.SendMemory();
                origin.SendState(RequestCode.SetVringEnable, 0, 1);
                origin.SendState(RequestCode.SetVringEnable, 1, 1);
            },
            "a split ring of 100 entries");
    }

    [Theory]
    [InlineData(0x80648064u, "at slot 100 of 100")]
    [InlineData(0x00000064u, "at slot 100 of 100")]
    [InlineData(0x80058006u, "buffers under way")]
    [InlineData(0x00058005u, "buffers under way")]
    public void An_impossible_position_is_refused(uint position, string reason) => Refused(
        origin =>
        {
            origin.Send(RequestCode.SetFeatures, Packed);
            SendRings(origin, position);
            origin.SendMemory();
            origin.SendState(RequestCode.SetVringEnable, 0, 1);
            origin.SendState(RequestCode.SetVringEnable, 1, 1);
        },
        reason);

    [Fact]
    public void Packed_rings_need_version_1() => Refused(
        origin => origin.Send(RequestCode.SetFeatures, Packed & ~VirtioFeatures.Version1), "packed rings without VERSION_1");

    [Fact]
    public void An_area_outside_the_memory_is_refused() => Refused(
        origin =>
        {
            origin.Send(RequestCode.SetFeatures, Packed);
            origin.SendMemory();
            origin.SendState(RequestCode.SetVringNum, 0, Entries);
            SendAddress(origin, 0, 0, FrontEnd.MemorySize - 2, 0x4000);
        },
        "driver event area");

    [Fact]
    public void Get_vring_base_tells_where_the_ring_stands_by_its_used_bits()
    {
        using Session run = new();
        run.Start(0x8000);
        for (int slot = 0; slot < 7; slot++)
        {
            run.SetFlags(0, slot, Returned);
        }

        // Made available again, as far as it goes: that moves nothing.
        run.SetFlags(0, 0, PackedRing.Used);
        run.SetFlags(0, 7, PackedRing.Available);
        Assert.Equal(new VringState(0, 0x80078007), run.Origin.AskBase(0));
        Assert.Equal(0UL, run.Device.Device.MappedBytes);

        // The other one never moved from where it was told to be.
        Assert.Equal(new VringState(1, 0x80008000), run.Origin.AskBase(1));
    }

    [Fact]
    public void A_ring_that_never_ran_is_where_it_was_said_to_be()
    {
        using Session run = new();
        run.Start(5, start: false);
        Assert.Equal(5U, run.Origin.AskBase(0).Value);
    }

    /// <summary>Another back-end returns the first slot of a chain only, and marks the position nowhere.</summary>
    [Fact]
    public void A_ring_that_another_back_end_has_used_tells_its_position_after_it_was_shown()
    {
        using Session run = new();
        run.Start(0x8005, start: false);

        // A chain of five, returned; three available.
        run.SetFlags(0, 0, Returned);
        for (int slot = 1; slot < 8; slot++)
        {
            run.SetFlags(0, slot, PackedRing.Available);
        }

        run.Enable();
        Assert.True(run.Device.Link);
        Assert.Equal(
            [Returned, Returned, Returned, Returned, Returned, PackedRing.Available, PackedRing.Available, PackedRing.Available, 0],
            Enumerable.Range(0, 9).Select(slot => run.GetFlags(0, slot)));
        JsonElement ring = run.Rig.Peers()[0].GetProperty("rings")[0];
        Assert.Equal(0x8005, ring.GetProperty("used-index").GetInt32());
        Assert.Equal(0x8008, ring.GetProperty("avail-index").GetInt32());
        Assert.Equal(0x80058005, run.Origin.AskBase(0).Value);
    }

    [Fact]
    public void A_position_that_was_told_before_the_ring_ran_is_not_gone_back_to()
    {
        using Session run = new();
        run.Start(0x8000);
        for (int slot = 0; slot < 7; slot++)
        {
            run.SetFlags(0, slot, Returned);
        }

        run.Origin.SendTable((FrontEnd.Region, run.Origin.Memory!), (new MemoryRegion(1UL << 30, 0x10000, 0, 0), run.Origin.NewMemory()));
        Assert.False(run.Device.Link);
        run.Device.Acknowledge(run.Device.Epoch);
        Assert.True(run.Device.Link);
        Assert.Equal(Returned, run.GetFlags(0, 6));
        Assert.Equal(0x80078007, run.Origin.AskBase(0).Value);
    }

    [Fact]
    public void A_driver_that_was_cut_off_while_it_returned_several_slots_is_helped()
    {
        using Session run = new();
        run.Start(0x8000);
        for (int slot = 0; slot < 10; slot++)
        {
            run.SetFlags(0, slot, slot switch { < 4 => Returned, < 6 => PackedRing.Available, < 8 => Returned, _ => PackedRing.Available });
        }

        Assert.Equal(0x80088008, run.Origin.AskBase(0).Value);
        Assert.Equal(Returned, run.GetFlags(0, 4));
        Assert.Equal(Returned, run.GetFlags(0, 5));
        Assert.Equal(PackedRing.Available, run.GetFlags(0, 8));
    }

    [Fact]
    public void A_client_reads_the_position_from_its_own_memory_whether_or_not_the_server_is_there()
    {
        using var rig = new Rig();
        MacAddress mac = MacAddress.Read([0x52, 0x54, 0, 0, 0, 1]);
        VhostPciClient client = rig.Library.CreateClient(new FakeNic(), new ClientConfig("net0", new DeviceInfo(VirtioDeviceId.Net, 1, Guid.Empty, mac, 0, 1UL << 30, "net0")));
        _ = client.SetFeatures(VirtioFeatures.Version1 | VirtioFeatures.RingPacked);
        byte[] table = new byte[8 * PackedRing.DescriptorSize];
        Assert.Equal(0x80008000, client.GetVringBase(0, table, new byte[4]));
        for (int slot = 0; slot < 5; slot++)
        {
            Set(slot, slot switch { < 2 => Returned, 2 => PackedRing.Available, _ => Returned });
        }

        Assert.Equal(0x80058005, client.GetVringBase(0, table, new byte[4]));
        Assert.Equal(Returned, PackedRing.GetFlags(table)[2]);
        Assert.Equal(0x80008000, client.GetVringBase(0, default, default));

        _ = client.SetFeatures(VirtioFeatures.Version1);
        Assert.Equal(0x1234U, client.GetVringBase(0, table, [0, 0, 0x34, 0x12]));
        Assert.Equal(0U, client.GetVringBase(0, default, default));
        rig.Library.Destroy(client);

        void Set(int slot, ushort flags)
            => BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan((slot * PackedRing.DescriptorSize) + PackedRing.FlagsOffset), flags);
    }

    [Fact]
    public void A_word_of_a_window_is_replaced_only_if_it_is_what_it_was()
    {
        Assert.True(new WindowFactory().TryReserve(1 << 20, out IWindow? window, out _));
        using Descriptor memory = MemoryFile.Create("vhost-pci-test", 0x1000, sealShrink: true);
        using var file = new PeerFile(memory);
        Assert.True(window.TryMap(0x1000, file, 0, 0x1000, out _));
        Assert.True(window.TryReplaceUInt16(0x1002, 0, 7));
        Assert.False(window.TryReplaceUInt16(0x1002, 0, 8));
        Assert.Equal(7, window.ReadUInt16(0x1002));
        Assert.True(file.TryReadUInt16(2, out ushort value));
        Assert.Equal(7, value);
        Assert.Throws<ArgumentOutOfRangeException>(() => window.ReadUInt16((1 << 20) - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => window.ReadUInt16(3));
        window.Dispose();
    }

    private static void Refused(Action<FrontEnd> act, string reason)
    {
        using var rig = new Rig();
        FrontEnd origin = rig.Connect();
        origin.Negotiate();
        act(origin);
        Assert.True(origin.IsClosed);
        Assert.Contains(reason, rig.Log.Warnings[^1], StringComparison.Ordinal);
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    private static void SendAddress(FrontEnd origin, uint index, ulong desc, ulong avail, ulong used)
    {
        byte[] payload = new byte[VringAddress.Size];
        new VringAddress(index, 0, FrontEnd.UserBase + desc, FrontEnd.UserBase + used, FrontEnd.UserBase + avail, 0).Write(payload);
        origin.Send(RequestCode.SetVringAddress, payload);
    }

    private static void SendRings(FrontEnd origin, uint position)
    {
        for (uint index = 0; index < 2; index++)
        {
            origin.SendState(RequestCode.SetVringNum, index, Entries);
            origin.SendState(RequestCode.SetVringBase, index, index == 0 ? position : 0x8000);
            origin.SendAddress(index, FrontEnd.RingAddress(index));
            origin.SendFile(RequestCode.SetVringKick, index, origin.NewEvent());
            origin.SendFile(RequestCode.SetVringCall, index, origin.NewEvent());
        }
    }

    /// <summary>An origin with packed rings and a mirror with a driver.</summary>
    private sealed class Session : IDisposable
    {
        internal Session()
        {
            Origin = Rig.Connect();
            Origin.Negotiate();
            Origin.SendInfo();
            Device = Rig.Bridge.Last;
            Device.StartDriver();
        }

        internal Rig Rig { get; } = new();

        internal FrontEnd Origin { get; }

        internal FakeDevice Device { get; }

        internal void Start(uint position, bool start = true)
        {
            Origin.Send(RequestCode.SetFeatures, Packed);
            Origin.SendMemory();
            SendRings(Origin, position);
            if (start)
            {
                Enable();
            }
        }

        internal void Enable()
        {
            Origin.SendState(RequestCode.SetVringEnable, 0, 1);
            Origin.SendState(RequestCode.SetVringEnable, 1, 1);
        }

        internal void SetFlags(uint ring, int slot, ushort flags) => Origin.Poke(At(ring, slot), flags);

        internal ushort GetFlags(uint ring, int slot)
        {
            using FileStream stream = new($"/proc/self/fd/{Origin.Memory!.Number}", FileMode.Open, FileAccess.Read);
            stream.Seek((long)At(ring, slot), SeekOrigin.Begin);
            byte[] bytes = new byte[2];
            stream.ReadExactly(bytes);
            return BitConverter.ToUInt16(bytes);
        }

        public void Dispose()
        {
            Origin.Dispose();
            Rig.Dispose();
        }

        private static ulong At(uint ring, int slot)
            => FrontEnd.RingAddress(ring) - FrontEnd.UserBase + ((ulong)slot * PackedRing.DescriptorSize) + PackedRing.FlagsOffset;
    }
}
