// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using VhostPci.Device.Net;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Device.Wire;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;
using VhostPci.Testing;

namespace VhostPci.Device.Tests;

/// <summary>A refused request changes nothing of its session and of the running link.</summary>
/// <remarks>
/// The protocol ends the connection after it, so this looks at the session between the two: what the mirror's guest sees of a refusal is
/// the one withdrawal of a connection that ends, and an origin that comes back finds its device.
/// </remarks>
public sealed class UnchangedTests
{
    private static readonly Dictionary<string, Case> Cases = new()
    {
        ["features: not offered"] = new(RequestCode.SetFeatures, _ => U64(1UL << 36), "were not offered"),
        ["features: the dirty log"] = new(RequestCode.SetFeatures, _ => U64(FrontEnd.Features | VirtioFeatures.LogAll), "cannot be migrated"),
        ["features: packed without version 1"] = new(RequestCode.SetFeatures, _ => U64(VirtioFeatures.RingPacked), "packed rings without"),
        ["features: others while it runs"] = new(RequestCode.SetFeatures, _ => U64(FrontEnd.Features | VirtioNetFeatures.Checksum), "while a ring runs"),
        ["features: with which it cannot start"] = new(RequestCode.SetFeatures, _ => U64(VirtioFeatures.Version1), "is not inside one memory region", WithoutFeatures),
        ["protocol features: not offered"] = new(RequestCode.SetProtocolFeatures, _ => U64(2), "were not offered"),
        ["status"] = new(RequestCode.SetStatus, _ => U64(0x100), "no virtio status"),
        ["mtu"] = new(RequestCode.NetSetMtu, _ => U64(67), "an MTU of 67"),
        ["rarp"] = new(RequestCode.SendRarp, _ => U64(1), string.Empty),
        ["device info: twice"] = new(RequestCode.SetDeviceInfo, _ => Info(1, 1 << 20), "came twice"),
        ["device info: no memory"] = new(RequestCode.SetDeviceInfo, _ => Info(1, 0), string.Empty, WithoutInfo),
        ["device info: fewer pairs"] = new(RequestCode.SetDeviceInfo, _ => Info(1, 1 << 20), "after it had spoken of ring", WithoutInfo),
        ["device info: no window for it"] = new(RequestCode.SetDeviceInfo, _ => Info(2, 1UL << 50), "raise slot-size=", WithoutInfo),
        ["driver state: without its feature"] = new(
            RequestCode.SetDriverState, _ => Driver(0), "without its protocol feature", o => o.Send(RequestCode.SetProtocolFeatures, ProtocolFeatures.Offered & ~ProtocolFeatures.DriverState)),
        ["driver state: a group address"] = new(RequestCode.SetDriverState, _ => Driver(0, 1), string.Empty),
        ["driver state: not acknowledged"] = new(RequestCode.SetDriverState, _ => Driver(VirtioNetFeatures.GuestTso4), "has not acknowledged"),
        ["table: nothing"] = Table("0 bytes", FrontEnd.Region with { Length = 0 }),
        ["table: wraps"] = Table("wraps around", FrontEnd.Region with { GuestAddress = ulong.MaxValue - 0xfff }),
        ["table: the second overlaps"] = Table("overlaps", FrontEnd.Region, FrontEnd.Region with { UserAddress = 0 }),
        ["table: the second has a short file"] = Table("of a file of", FrontEnd.Region, new MemoryRegion(1UL << 30, FrontEnd.MemorySize * 2, 1UL << 50, 0)),
        ["table: no window for it"] = Table("raise slot-size=", FrontEnd.Region, new MemoryRegion(1UL << 50, FrontEnd.MemorySize, 1UL << 50, 0)),
        ["table: the rings are outside"] = Table("is not inside one memory region", new MemoryRegion(1UL << 30, FrontEnd.MemorySize, 1UL << 50, 0)),
        ["table: a larger window, and then not sealed"] = new(
            RequestCode.SetMemoryTable, _ => Table(FrontEnd.Region with { GuestAddress = 6UL << 30 }), "not sealed", Files: o => [o.NewMemory(sealShrink: false).Number]),
        ["table: an eventfd"] = new(RequestCode.SetMemoryTable, _ => Table(FrontEnd.Region), "memory-backend-memfd", Files: o => [o.NewEvent().Number]),
        ["region: without slots"] = new(RequestCode.AddMemoryRegion, _ => Single(More), "without their protocol feature", WithoutSlots, OneMemory),
        ["region: overlaps"] = new(RequestCode.AddMemoryRegion, _ => Single(FrontEnd.Region), "overlaps", Files: OneMemory),
        ["region: nothing"] = new(RequestCode.AddMemoryRegion, _ => Single(More with { Length = 0 }), "0 bytes", Files: OneMemory),
        ["region: not sealed"] = new(RequestCode.AddMemoryRegion, _ => Single(More), "not sealed", Files: o => [o.NewMemory(sealShrink: false).Number]),
        ["region: a larger window, and then a short file"] = new(
            RequestCode.AddMemoryRegion, _ => Single(More with { GuestAddress = 6UL << 30, Length = 1UL << 30 }), "of a file of", Files: OneMemory),
        ["region: no window for it"] = new(RequestCode.AddMemoryRegion, _ => Single(More with { GuestAddress = 1UL << 50 }), "raise slot-size=", Files: OneMemory),
        ["removal: without slots"] = new(RequestCode.RemoveMemoryRegion, _ => Single(FrontEnd.Region), "without their protocol feature", WithoutSlots),
        ["removal: not there"] = new(RequestCode.RemoveMemoryRegion, _ => Single(More), "to remove"),
        ["removal: of the rings"] = new(
            RequestCode.RemoveMemoryRegion,
            _ => Single(FrontEnd.Region),
            "is not inside one memory region",
            o => o.SendSingle(RequestCode.AddMemoryRegion, More, o.NewMemory().Number)),
        ["size: none"] = new(RequestCode.SetVringNum, _ => State(0, 3), "entries"),
        ["size: another while it runs"] = new(RequestCode.SetVringNum, _ => State(1, 128), "while it runs"),
        ["size: with which it cannot start"] = new(RequestCode.SetVringNum, _ => State(3, 32768), "is not inside one memory region", WithoutSize),
        ["size: no such ring"] = new(RequestCode.SetVringNum, _ => State(4, 256), "as many as it had spoken of"),
        ["position: too far"] = new(RequestCode.SetVringBase, _ => State(0, 65536), "at position"),
        ["position: no such ring"] = new(RequestCode.SetVringBase, _ => State(64, 0), "are the most"),
        ["enable: neither"] = new(RequestCode.SetVringEnable, _ => State(0, 2), "enabled with 2"),
        ["enable: cannot start"] = new(RequestCode.SetVringEnable, _ => State(3, 1), "is not inside one memory region", Outside),
        ["address: flags"] = new(RequestCode.SetVringAddress, _ => Address(0, 1, FrontEnd.RingAddress(0)), "dirty logging"),
        ["address: outside"] = new(RequestCode.SetVringAddress, _ => Address(1, 0, FrontEnd.UserBase + FrontEnd.MemorySize), "is not inside one memory region"),
        ["address: no such ring"] = new(RequestCode.SetVringAddress, _ => Address(9, 0, FrontEnd.RingAddress(0)), "as many as it had spoken of"),
        ["kick: memory"] = new(RequestCode.SetVringKick, _ => U64(1), "not an eventfd", Files: OneMemory),
        ["kick: no such ring"] = new(RequestCode.SetVringKick, _ => U64(5), "as many as it had spoken of", Files: OneEvent),
        ["kick: cannot start"] = new(RequestCode.SetVringKick, _ => U64(3), "is not inside one memory region", OutsideWithoutKick, OneEvent),
        ["call: memory"] = new(RequestCode.SetVringCall, _ => U64(0), "not an eventfd", Files: OneMemory),
        ["error: memory"] = new(RequestCode.SetVringError, _ => U64(0), "not an eventfd", Files: OneMemory),
        ["stop: no such ring"] = new(RequestCode.GetVringBase, _ => State(7, 0), "as many as it had spoken of"),
    };

    /// <summary>Where only a small ring has room.</summary>
    private const ulong AlmostOutside = FrontEnd.UserBase + FrontEnd.MemorySize - 0x8000;

    private static MemoryRegion More => new(1UL << 30, FrontEnd.MemorySize, 1UL << 50, 0);

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_refused_request_changes_nothing(string name)
    {
        Case test = Cases[name];
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        if (test.Before != WithoutInfo)
        {
            origin.SendInfo(pairs: 2);
        }
        else
        {
            // So that it has two pairs as well.
            origin.SendFile(RequestCode.SetVringCall, 3, origin.NewEvent());
        }

        if (test.Before != WithoutFeatures)
        {
            origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        }

        origin.SendMemory();
        origin.SendPair(0);
        if (test.Before != WithoutSize)
        {
            origin.SendPair(1);
        }

        test.Before?.Invoke(origin);
        Assert.Empty(rig.Log.Warnings);
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        device.Acknowledge(device.Epoch);
        Assert.Equal(test.Before != WithoutFeatures, device.Link);

        Connection connection = Assert.Single(rig.Server.Connections);
        (Channel left, Channel right) = SocketPair.Create();
        using var source = new MessageSource<Request>(right, NetRequests.Table);
        byte[] payload = test.Payload(origin);
        byte[] message = new byte[MessageHeader.Size + payload.Length];
        Assert.True(left.TrySend(MessageWriter.Write(message, test.Request, MessageFlags.None, payload), test.Files?.Invoke(origin) ?? [], 0));
        Assert.Equal(ReadStatus.Message, source.Read(out string reason));
        Assert.Empty(reason);

        string before = Describe(rig, connection, device);
        Verdict verdict = connection.Session.Handle(source.Message, source, new byte[64], out int replySize);
        string after = Describe(rig, connection, device);
        Assert.False(verdict.IsOk);
        Assert.Contains(test.Reason, verdict.Reason, StringComparison.Ordinal);
        Assert.Equal(0, replySize);
        Assert.Equal(before, after);
        left.Dispose();
        right.Dispose();

        // Its link is as alive as before.
        Assert.False(origin.IsClosed);
        Assert.Equal(test.Before != WithoutFeatures, device.Link);
    }

    [Fact]
    public void Every_request_whose_contents_can_be_wrong_is_among_them()
    {
        RequestCode[] all = [.. Enum.GetValues<RequestCode>().Where(static request => NetRequests.Table.TryGet(request, out RequestRow? row) && row.MaxPayload != 0)];
        Assert.Equal(all.Order(), Cases.Values.Select(static test => test.Request).Distinct().Order());
    }

    /// <summary>All that a request could have changed.</summary>
    private static string Describe(Rig rig, Connection connection, FakeDevice device)
    {
        Session session = connection.Session;
        var net = (NetOriginPart)session.Part;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"features {session.Features:x} {session.EffectiveFeatures:x} {net.Mac} {session.ProtocolFeatures:x} info {session.Info} mtu {net.Mtu}\n");
        for (int i = 0; i < session.RingCount; i++)
        {
            Ring ring = session.GetRing(i);
            text.Append(CultureInfo.InvariantCulture, $"ring {i} {ring.Facts} in use {ring.IsInUse} at {ring.Placement} fds {ring.Kick?.Descriptor} {ring.Call?.Descriptor}")
                .Append(CultureInfo.InvariantCulture, $" bound {(i < device.Plan.Rings ? device.Bound(i, RingEndpoint.Kick) : 0)} raised {device.Raised[i]}\n");
        }

        for (int i = 0; i < session.Memory.Count; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"memory {session.Memory.GetRegion(i)} fd {session.Memory.GetFile(i).Descriptor}\n");
        }

        byte[] status = new byte[8];
        Assert.True(Ask(session, RequestCode.GetStatus, status).IsOk);
        text.Append(CultureInfo.InvariantCulture, $"status {Convert.ToHexString(status)} devices {rig.Server.DeviceCount} plugged {rig.Bridge.Devices.Count}")
            .Append(CultureInfo.InvariantCulture, $" same {connection.Device == device.Device.Side} unplugs {device.UnplugRequests}\n")
            .Append(CultureInfo.InvariantCulture, $"mapped {device.Device.MappedBytes} events {device.Events.Count} config {Convert.ToHexString(device.Config)}\n")
            .Append(Encoding.UTF8.GetString(rig.Library.ReportJson(Rig.Runtime)));
        return text.ToString();
    }

    private static Verdict Ask(Session session, RequestCode request, byte[] reply)
    {
        (Channel left, Channel right) = SocketPair.Create();
        using (left)
        using (right)
        using (var source = new MessageSource<Request>(right, NetRequests.Table))
        {
            byte[] message = new byte[MessageHeader.Size];
            Assert.True(left.TrySend(MessageWriter.Write(message, request, MessageFlags.None, []), [], 0));
            Assert.Equal(ReadStatus.Message, source.Read(out _));
            return session.Handle(source.Message, source, reply, out _);
        }
    }

    // What makes a case special before its request; most need nothing.
    private static void WithoutFeatures(FrontEnd origin)
    {
        origin.SendAddress(3, AlmostOutside);
        origin.SendState(RequestCode.SetVringNum, 3, 32768);
    }

    private static void WithoutInfo(FrontEnd origin) => _ = origin;

    private static void WithoutSlots(FrontEnd origin)
        => origin.Send(RequestCode.SetProtocolFeatures, ProtocolFeatures.Offered & ~ProtocolFeatures.ConfigureMemorySlots);

    /// <summary>The second pair's last ring has all but a size.</summary>
    private static void WithoutSize(FrontEnd origin)
    {
        origin.SendRing(2);
        origin.SendState(RequestCode.SetVringEnable, 2, 1);
        origin.SendAddress(3, AlmostOutside);
        origin.SendFile(RequestCode.SetVringKick, 3, origin.NewEvent());
        origin.SendState(RequestCode.SetVringEnable, 3, 1);
    }

    /// <summary>The second pair's last ring is off and reaches out of memory.</summary>
    private static void Outside(FrontEnd origin)
    {
        origin.SendState(RequestCode.SetVringEnable, 3, 0);
        origin.SendAddress(3, AlmostOutside);
        origin.SendState(RequestCode.SetVringNum, 3, 32768);
    }

    private static void OutsideWithoutKick(FrontEnd origin)
    {
        Outside(origin);
        origin.SendFile(RequestCode.SetVringKick, 3, null);
        origin.SendState(RequestCode.SetVringEnable, 3, 1);
    }

    private static int[] OneMemory(FrontEnd origin) => [origin.NewMemory().Number];

    private static int[] OneEvent(FrontEnd origin) => [origin.NewEvent().Number];

    private static Case Table(string reason, params MemoryRegion[] regions) => new(
        RequestCode.SetMemoryTable, _ => Table(regions), reason, Files: origin => [.. regions.Select(_ => origin.NewMemory().Number)]);

    private static byte[] Table(params MemoryRegion[] regions)
    {
        byte[] payload = new byte[MemoryPayload.TableSize(regions.Length)];
        MemoryPayload.WriteTable(payload, regions);
        return payload;
    }

    private static byte[] Single(MemoryRegion region)
    {
        byte[] payload = new byte[MemoryPayload.SingleSize];
        new RegionPayload(region).Write(payload);
        return payload;
    }

    private static byte[] U64(ulong value)
    {
        byte[] payload = new byte[U64Payload.Size];
        new U64Payload(value).Write(payload);
        return payload;
    }

    private static byte[] State(uint index, uint value)
    {
        byte[] payload = new byte[VringState.Size];
        new VringState(index, value).Write(payload);
        return payload;
    }

    private static byte[] Address(uint index, uint flags, ulong user)
    {
        byte[] payload = new byte[VringAddress.Size];
        new VringAddress(index, flags, user, user + 0x3000, user + 0x2000, 0).Write(payload);
        return payload;
    }

    private static byte[] Driver(ulong offloads, byte firstOfMac = 2)
    {
        MacAddress mac = MacAddress.Read([firstOfMac, 0, 0, 0, 0, 9]);
        byte[] payload = new byte[DriverState.Size];
        new DriverState(offloads, mac).Write(payload);
        return payload;
    }

    private static byte[] Info(ushort pairs, ulong memoryEnd)
    {
        byte[] payload = new byte[DeviceInfo.Size];
        new DeviceInfo(VirtioDeviceId.Net, pairs, Guid.Empty, default, 1500, memoryEnd, "nic").Write(payload);
        return payload;
    }

    private sealed record Case(
        RequestCode Request, Func<FrontEnd, byte[]> Payload, string Reason, Action<FrontEnd>? Before = null, Func<FrontEnd, int[]>? Files = null);
}
