// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

/// <summary>Each refusal: one line with the reason, the connection closed, nothing left, and the neighbour undisturbed.</summary>
public sealed class RefusalTests
{
    private const ulong Page = 0x1000;

    [Theory]
    [InlineData((uint)RequestCode.SetVringKick, 5)]
    [InlineData((uint)RequestCode.SetOwner, 1)]
    [InlineData((uint)RequestCode.SetMemoryTable, 0)]
    public void Wrong_number_of_descriptors(uint request, int count)
    {
        int[] Files(FrontEnd origin) => [.. Enumerable.Range(0, count).Select(_ => origin.NewEvent().Number)];
        byte[] payload = (RequestCode)request switch
        {
            RequestCode.SetVringKick => new byte[8],
            RequestCode.SetMemoryTable => Table(FrontEnd.Region),
            _ => [],
        };
        Refused(origin => origin.Send((RequestCode)request, payload, Files(origin)), "descriptors");
    }

    [Fact]
    public void More_descriptors_than_fit() => Refused(
        origin => origin.Send(RequestCode.SetOwner, [], [.. Enumerable.Range(0, 30).Select(_ => origin.NewEvent().Number)]),
        "descriptors were lost");

    [Fact]
    public void A_kick_that_is_no_eventfd() => Refused(
        origin => origin.SendFile(RequestCode.SetVringKick, 0, origin.NewMemory()),
        "not an eventfd");

    [Fact]
    public void An_eventfd_as_memory() => Refused(
        origin => origin.SendTable((FrontEnd.Region, origin.NewEvent())),
        "memory-backend-memfd");

    [Fact]
    public void Unsealed_memory() => Refused(
        origin => origin.SendTable((FrontEnd.Region, origin.NewMemory(sealShrink: false))),
        "use -object memory-backend-memfd,share=on (or allow-unsealed=on on the server: the link then ends when it shrinks)");

    [Fact]
    public void Unsealed_memory_is_taken_when_the_user_says_so()
    {
        using var rig = new Rig(allowUnsealed: true);
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendTable((FrontEnd.Region, origin.NewMemory(sealShrink: false)));
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void A_file_that_is_too_short() => Refused(
        origin => origin.SendTable((FrontEnd.Region, origin.NewMemory(FrontEnd.MemorySize - Page))),
        "of a file of");

    [Theory]
    [InlineData(0x800UL, 0UL)]
    [InlineData(0UL, 0x800UL)]
    public void Unaligned_memory(ulong guest, ulong offset) => Refused(
        origin => origin.SendTable((new MemoryRegion(guest, FrontEnd.MemorySize / 2, FrontEnd.UserBase, offset), origin.NewMemory())),
        "not aligned");

    [Fact]
    public void Overlapping_memory() => Refused(
        origin => origin.SendTable((FrontEnd.Region, origin.NewMemory()), (FrontEnd.Region with { GuestAddress = Page, UserAddress = 0 }, origin.NewMemory())),
        "overlaps");

    [Fact]
    public void Memory_overlapping_in_user_addresses() => Refused(
        origin => origin.SendTable((FrontEnd.Region, origin.NewMemory()), (FrontEnd.Region with { GuestAddress = 1UL << 30 }, origin.NewMemory())),
        "overlaps");

    [Fact]
    public void Memory_that_no_window_can_show() => Refused(
        origin => origin.SendTable((FrontEnd.Region with { GuestAddress = 1UL << 62 }, origin.NewMemory())),
        "raise slot-size=");

    [Theory]
    [InlineData(0UL, 0UL, 0UL)]
    [InlineData(ulong.MaxValue - 0xfff, 0UL, 0UL)]
    [InlineData(0UL, ulong.MaxValue - 0xfff, 0UL)]
    [InlineData(0UL, 0UL, ulong.MaxValue - 0xfff)]
    public void Memory_whose_sums_wrap(ulong guest, ulong user, ulong offset) => Refused(
        origin => origin.SendTable((new MemoryRegion(guest, guest == 0 && user == 0 && offset == 0 ? 0 : 0x2000UL, user, offset), origin.NewMemory())),
        "memory region");

    [Theory]
    [InlineData((uint)RequestCode.SetVringNum)]
    [InlineData((uint)RequestCode.SetVringBase)]
    [InlineData((uint)RequestCode.GetVringBase)]
    [InlineData((uint)RequestCode.SetVringEnable)]
    public void A_ring_that_is_not_there(uint request)
    {
        foreach (uint index in new uint[] { 64, 0x10000, 0x8000_0000, uint.MaxValue })
        {
            Refused(origin => origin.SendState((RequestCode)request, index, 1), "32 queue pairs are the most");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(65536)]
    public void A_ring_size_that_is_none(uint size) => Refused(origin => origin.SendState(RequestCode.SetVringNum, 0, size), "entries");

    [Fact]
    public void A_ring_outside_memory() => Refused(
        origin =>
        {
            origin.SendMemory();
            origin.SendState(RequestCode.SetVringNum, 0, 256);
            origin.SendAddress(0, FrontEnd.UserBase + FrontEnd.MemorySize - 0x1000);
        },
        "is not inside one memory region");

    [Fact]
    public void A_ring_that_is_outside_the_memory_that_comes_later() => Refused(
        origin =>
        {
            origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
            origin.SendState(RequestCode.SetVringEnable, 0, 1);
            origin.SendState(RequestCode.SetVringEnable, 1, 1);
            foreach (uint i in new uint[] { 0, 1 })
            {
                origin.SendState(RequestCode.SetVringNum, i, 256);
                origin.SendAddress(i, FrontEnd.UserBase + (1UL << 32));
                origin.SendFile(RequestCode.SetVringKick, i, origin.NewEvent());
            }

            origin.SendMemory();
        },
        "is not inside one memory region");

    [Fact]
    public void Features_that_were_not_offered() => Refused(origin => origin.Send(RequestCode.SetFeatures, 1UL << 36), "0x1000000000");

    [Fact]
    public void Protocol_features_that_were_not_offered() => Refused(origin => origin.Send(RequestCode.SetProtocolFeatures, 1UL << 1), "0x2");

    [Fact]
    public void Features_that_change_while_running() => Refused(
        origin =>
        {
            origin.Run();
            origin.Send(RequestCode.SetFeatures, FrontEnd.Features | VirtioNetFeatures.Checksum);
        },
        "while a ring runs");

    [Fact]
    public void A_size_that_changes_while_running() => Refused(
        origin =>
        {
            origin.Run();
            origin.SendState(RequestCode.SetVringNum, 1, 128);
        },
        "while it runs");

    [Fact]
    public void Removal_of_the_memory_of_a_running_ring() => Refused(
        origin =>
        {
            origin.Run();
            origin.SendSingle(RequestCode.AddMemoryRegion, new MemoryRegion(1UL << 30, Page, 0, 0), origin.NewMemory().Number);
            origin.SendSingle(RequestCode.RemoveMemoryRegion, FrontEnd.Region);
        },
        "is not inside one memory region");

    [Fact]
    public void Device_info_without_the_extension() => Refused(
        origin =>
        {
            origin.Send(RequestCode.SetProtocolFeatures, 0);
            origin.SendInfo();
        },
        "without its protocol feature");

    [Fact]
    public void Device_info_twice() => Refused(
        origin =>
        {
            origin.SendInfo();
            origin.SendInfo();
        },
        "twice");

    [Theory]
    [InlineData(6u, "cannot be migrated")]
    [InlineData(7u, "cannot be migrated")]
    public void A_request_that_belongs_to_what_was_not_offered(uint request, string reason)
        => Refused(origin => origin.Send((RequestCode)request), reason);

    [Fact]
    public void The_dirty_log() => Refused(origin => origin.Send(RequestCode.SetFeatures, FrontEnd.Features | VirtioFeatures.LogAll), "cannot be migrated");

    [Fact]
    public void An_unknown_request() => Refused(origin => origin.Send((RequestCode)21), "unknown request 21");

    [Fact]
    public void An_oversize_message()
    {
        byte[] header = new byte[MessageHeader.Size];
        new MessageHeader(RequestCode.SetMemoryTable, MessageFlags.Version1, uint.MaxValue).Write(header);
        Refused(origin => origin.SendRaw(header, origin.NewMemory().Number), "bytes of payload");
    }

    [Fact]
    public void Another_protocol_version()
    {
        byte[] header = new byte[MessageHeader.Size];
        new MessageHeader(RequestCode.GetFeatures, (MessageFlags)2, 0).Write(header);
        Refused(origin => origin.SendRaw(header), "version");
    }

    [Fact]
    public void Descriptors_in_the_middle_of_a_message()
    {
        byte[] header = new byte[MessageHeader.Size];
        new MessageHeader(RequestCode.GetFeatures, MessageFlags.Version1, 0).Write(header);
        Refused(
            origin =>
            {
                origin.SendRaw(header.AsSpan(0, 1));
                origin.SendRaw(header.AsSpan(1), origin.NewEvent().Number);
            },
            "after the first byte");
    }

    [Fact]
    public void Half_a_message_for_too_long()
    {
        using var rig = new Rig();
        using FrontEnd neighbour = rig.Connect();
        neighbour.Start();
        using FrontEnd origin = rig.Connect();
        origin.SendRaw([1, 0, 0, 0, 1]);
        rig.Host.Advance(4999);
        Assert.False(origin.IsClosed);
        rig.Host.Advance(2);
        Assert.True(origin.IsClosed);
        Assert.Contains("incomplete message", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.True(rig.Bridge.Devices[0].Link);
    }

    [Fact]
    public void A_message_in_single_bytes_is_taken()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        byte[] header = new byte[MessageHeader.Size];
        new MessageHeader(RequestCode.GetFeatures, MessageFlags.Version1, 0).Write(header);
        foreach (byte b in header)
        {
            rig.Host.Advance(400);
            origin.SendRaw([b]);
        }

        Assert.NotNull(origin.TryReceive(RequestCode.GetFeatures));
        Assert.Equal(0, rig.Host.Timers);
    }

    [Fact]
    public void A_peer_that_does_not_read_its_replies()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        rig.Host.Pump();
        for (int i = 0; i < 100_000 && rig.Server.Connections.Count != 0; i++)
        {
            origin.Send(RequestCode.GetFeatures);
        }

        Assert.Contains("does not read", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void One_connection_too_many_is_closed_with_the_reason_and_the_place_is_free_again_later()
    {
        using var rig = new Rig(connections: 2);
        using FrontEnd first = rig.Connect();
        FrontEnd second = rig.Connect();
        rig.Host.Pump();
        using FrontEnd third = rig.Connect();
        Assert.True(third.IsClosed);
        Assert.Equal(
            $"vhost-pci-server 'srv': refused pid {Environment.ProcessId} uid {Geteuid()}: all 2 connections are in use (raise connections=)",
            Assert.Single(rig.Log.Warnings));
        second.Dispose();
        using FrontEnd fourth = rig.Connect();
        Assert.Equal(VirtioNetFeatures.Offered, fourth.Ask(RequestCode.GetFeatures));
        Assert.Equal(VirtioNetFeatures.Offered, first.Ask(RequestCode.GetFeatures));
    }

    [Fact]
    public void Refusals_do_not_flood_the_log()
    {
        using var rig = new Rig();
        for (int i = 0; i < 100; i++)
        {
            using FrontEnd origin = rig.Connect();
            origin.Send((RequestCode)99);
        }

        Assert.Equal(10, rig.Log.Warnings.Length);
        rig.Host.Advance(10_000);
        using FrontEnd last = rig.Connect();
        last.Send((RequestCode)99);
        Assert.Contains("90 refusals before were not shown", rig.Log.Warnings[^1], StringComparison.Ordinal);
        Assert.Equal(101UL, rig.Server.Refused);
    }

    [Fact]
    public void Without_free_descriptors_the_server_pauses_and_comes_back()
    {
        using var rig = new Rig();
        rig.Listener.OutOfDescriptors = true;
        rig.Host.Pump();
        Assert.Equal(0, rig.Host.Watches);
        rig.Host.Advance(100);
        rig.Host.Pump();
        rig.Listener.OutOfDescriptors = false;
        rig.Host.Advance(100);
        using FrontEnd origin = rig.Connect();
        Assert.Equal(VirtioNetFeatures.Offered, origin.Ask(RequestCode.GetFeatures));
        Assert.Single(rig.Log.Warnings);
    }

    [Fact]
    public void A_device_that_cannot_be_plugged_or_bound()
    {
        using var rig = new Rig();
        rig.Bridge.Failure = "bus is on fire";
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo();
        Assert.True(origin.IsClosed);
        Assert.Contains("bus is on fire", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Bridge.Failure = null;

        using FrontEnd next = rig.Connect();
        next.Negotiate();
        next.SendInfo();
        rig.Bridge.Last.BindFails = true;
        next.Run();
        Assert.True(next.IsClosed);
        Assert.Equal(0UL, rig.Bridge.Last.Device.MappedBytes);
    }

    [Fact]
    public void A_bridge_window_that_is_too_small_says_what_to_do()
    {
        using var rig = new Rig();
        rig.Bridge.Window = new BridgeWindow(0x1_0000_0000, 0x1_7fff_ffff);
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.SendInfo();
        Assert.True(origin.IsClosed);
        Assert.Contains("no window: firmware gave 2 GiB of 20 GiB", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
    }

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "geteuid")]
    [System.Runtime.InteropServices.DefaultDllImportSearchPaths(System.Runtime.InteropServices.DllImportSearchPath.SafeDirectories)]
    private static extern uint Geteuid();

    private static byte[] Table(MemoryRegion region)
    {
        byte[] payload = new byte[MemoryPayload.TableSize(1)];
        MemoryPayload.WriteTable(payload, [region]);
        return payload;
    }

    private static void Refused(Action<FrontEnd> act, string reason)
    {
        using var rig = new Rig();
        using FrontEnd neighbour = rig.Connect();
        neighbour.Start();
        FakeDevice device = rig.Bridge.Last;
        using (FrontEnd origin = rig.Connect())
        {
            origin.Negotiate();
            act(origin);
            Assert.True(origin.IsClosed, "the connection is still there");
            string line = Assert.Single(rig.Log.Warnings);
            Assert.StartsWith("vhost-pci-server 'srv': refused pid ", line, StringComparison.Ordinal);
            Assert.Contains(reason, line, StringComparison.Ordinal);
        }

        Assert.True(device.Link);
        Assert.Equal(FrontEnd.ShownFeatures, device.Read64(GuestAbi.Config.Features));
        neighbour.Dispose();
        rig.AssertNothingLeft();
    }
}
