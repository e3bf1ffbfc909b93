// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Net;

/// <summary>The device configuration of a vhost-pci-net, ready to be copied out; layout of <c>interop/vhost_pci_guest_abi.h</c>.</summary>
internal sealed class NetConfigSpace
{
    private const int Net = GuestAbi.Config.Size;
    private const int Rings = Net + NetGuestAbi.Config.Size;

    private readonly byte[] _bytes;
    private readonly int _rings;

    internal NetConfigSpace(int rings, ulong windowSize)
    {
        _rings = rings;
        _bytes = new byte[SizeWith(rings)];
        Put32(GuestAbi.Config.Version, GuestAbi.ConfigVersion);
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(GuestAbi.Config.WindowSize), windowSize);
        Put16(GuestAbi.Config.RingCount, (ushort)rings);
        Put16(GuestAbi.Config.RingEntry, GuestAbi.Ring.Size);
        Put16(GuestAbi.Config.RingOffset, Rings);
        Put16(GuestAbi.Config.DeviceClass, NetGuestAbi.DeviceClass);
        Put16(GuestAbi.Config.DeviceConfigOffset, Net);
        Put16(GuestAbi.Config.DeviceConfigSize, NetGuestAbi.Config.Size);
    }

    internal int Size => _bytes.Length;

    /// <summary>Bytes of a configuration with that many rings.</summary>
    internal static int SizeWith(int rings) => Rings + (rings * GuestAbi.Ring.Size);

    internal uint Epoch => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(GuestAbi.Config.Epoch));

    internal uint Ack
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(GuestAbi.Config.Ack));
        set => Put32(GuestAbi.Config.Ack, value);
    }

    internal MacAddress Mac
    {
        set => value.Write(_bytes.AsSpan(Net + NetGuestAbi.Config.Mac));
    }

    internal MacAddress OriginMac
    {
        set => value.Write(_bytes.AsSpan(Net + NetGuestAbi.Config.OriginMac));
    }

    internal ushort Mtu
    {
        set => Put16(Net + NetGuestAbi.Config.Mtu, value);
    }

    /// <summary>As the driver has written it, maybe half of it.</summary>
    internal ulong Accept
    {
        get => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(GuestAbi.Config.Accept));
        set => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(GuestAbi.Config.Accept), value);
    }

    /// <summary>As the driver has written it.</summary>
    internal uint Driver
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(GuestAbi.Config.Driver));
        set => Put32(GuestAbi.Config.Driver, value);
    }

    internal uint Announce
    {
        set => Put32(Net + NetGuestAbi.Config.Announce, value);
    }

    /// <summary>Another step: what was read before it is old.</summary>
    internal uint NextEpoch()
    {
        uint next = unchecked(Epoch + 1);
        Put32(GuestAbi.Config.Epoch, next);
        return next;
    }

    /// <summary>Without the bit that is vhost-user's and means nothing to a driver.</summary>
    internal void SetLink(bool up, ulong features)
    {
        Put32(GuestAbi.Config.Link, up ? GuestAbi.LinkUp : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(GuestAbi.Config.Features), features & ~VirtioFeatures.VhostUserProtocolFeatures);
    }

    internal void SetQueuePairs(int inUse) => Put16(Net + NetGuestAbi.Config.QueuePairs, (ushort)inUse);

    internal void SetRing(int index, uint size, VringAddress ring)
    {
        Span<byte> entry = _bytes.AsSpan(Rings + (index * GuestAbi.Ring.Size), GuestAbi.Ring.Size);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[GuestAbi.Ring.Desc..], ring.Desc);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[GuestAbi.Ring.Avail..], ring.Avail);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[GuestAbi.Ring.Used..], ring.Used);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[GuestAbi.Ring.Entries..], size);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[GuestAbi.Ring.Flags..], GuestAbi.RingEnabled);
    }

    internal void ClearRings() => _bytes.AsSpan(Rings, _rings * GuestAbi.Ring.Size).Clear();

    internal void CopyTo(Span<byte> destination)
    {
        int length = Math.Min(destination.Length, _bytes.Length);
        _bytes.AsSpan(0, length).CopyTo(destination);
        destination[length..].Clear();
    }

    private void Put16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(at), value);

    private void Put32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at), value);
}
