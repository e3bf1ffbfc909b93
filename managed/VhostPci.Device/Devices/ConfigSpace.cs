// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>A device's configuration, ready to be copied out: a header, the device class's part, the rings (<c>interop/vhost_pci_guest_abi.h</c>).</summary>
internal sealed class ConfigSpace
{
    private const int PartOffset = GuestAbi.Config.Size;

    private readonly byte[] _bytes;
    private readonly int _partSize;

    internal ConfigSpace(ushort deviceClass, int partSize, int rings, ulong windowSize)
    {
        _partSize = partSize;
        _bytes = new byte[RingOffset + (rings * GuestAbi.Ring.Size)];
        Put32(GuestAbi.Config.Version, GuestAbi.ConfigVersion);
        Put64(GuestAbi.Config.WindowSize, windowSize);
        Put16(GuestAbi.Config.RingCount, (ushort)rings);
        Put16(GuestAbi.Config.RingEntry, GuestAbi.Ring.Size);
        Put16(GuestAbi.Config.RingOffset, (ushort)RingOffset);
        Put16(GuestAbi.Config.DeviceClass, deviceClass);
        Put16(GuestAbi.Config.DeviceConfigOffset, PartOffset);
        Put16(GuestAbi.Config.DeviceConfigSize, (ushort)partSize);
    }

    internal int Size => _bytes.Length;

    /// <summary>The device class's part.</summary>
    internal Span<byte> Part => _bytes.AsSpan(PartOffset, _partSize);

    internal uint Epoch => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(GuestAbi.Config.Epoch));

    internal uint Ack
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(GuestAbi.Config.Ack));
        set => Put32(GuestAbi.Config.Ack, value);
    }

    /// <summary>As the driver has written it, maybe half of it.</summary>
    internal ulong Accept
    {
        get => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(GuestAbi.Config.Accept));
        set => Put64(GuestAbi.Config.Accept, value);
    }

    /// <summary>As the driver has written it.</summary>
    internal uint Driver
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(GuestAbi.Config.Driver));
        set => Put32(GuestAbi.Config.Driver, value);
    }

    private int RingOffset => PartOffset + _partSize;

    /// <summary>The part of a configuration of this layout that somebody has written.</summary>
    internal ReadOnlySpan<byte> PartOf(ReadOnlySpan<byte> written) => written.Slice(PartOffset, _partSize);

    /// <summary>Whether what the guest has written is long enough to have all that it may write.</summary>
    internal bool IsWhole(ReadOnlySpan<byte> written) => written.Length >= RingOffset;

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
        Put64(GuestAbi.Config.Features, features & ~VirtioFeatures.VhostUserProtocolFeatures);
    }

    internal void SetRing(int index, uint size, VringAddress ring)
    {
        Span<byte> entry = _bytes.AsSpan(RingOffset + (index * GuestAbi.Ring.Size), GuestAbi.Ring.Size);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[GuestAbi.Ring.Desc..], ring.Desc);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[GuestAbi.Ring.Avail..], ring.Avail);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[GuestAbi.Ring.Used..], ring.Used);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[GuestAbi.Ring.Entries..], size);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[GuestAbi.Ring.Flags..], GuestAbi.RingEnabled);
    }

    internal void ClearRings() => _bytes.AsSpan(RingOffset).Clear();

    internal void CopyTo(Span<byte> destination)
    {
        int length = Math.Min(destination.Length, _bytes.Length);
        _bytes.AsSpan(0, length).CopyTo(destination);
        destination[length..].Clear();
    }

    private void Put16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(at), value);

    private void Put32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at), value);

    private void Put64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(at), value);
}
