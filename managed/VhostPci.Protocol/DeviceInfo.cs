// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace VhostPci.Protocol;

/// <summary>Payload of VHOST_PCI_SET_DEVICE_INFO: who the origin is.</summary>
/// <param name="QueuePairs">Ring pairs, at least 1.</param>
/// <param name="Uuid">UUID of the origin VM; empty when it has none.</param>
/// <param name="Mac">Address of the origin's interface; zero when not known.</param>
/// <param name="Mtu">Bytes, 68 or more; 0 when not known.</param>
/// <param name="MemoryEnd">The origin's highest guest address + 1, room for hot-plug included.</param>
/// <param name="Name">Device name: to be shown, never trusted. What is parsed holds no control characters.</param>
public readonly record struct DeviceInfo(ushort QueuePairs, Guid Uuid, MacAddress Mac, ushort Mtu, ulong MemoryEnd, string Name)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 104;

    /// <summary>Version of the layout.</summary>
    public const uint Version = 1;

    /// <summary>The virtio device id of a network device.</summary>
    public const ushort NetworkDeviceId = 1;

    /// <summary>Bytes of the name field.</summary>
    public const int NameSize = 64;

    /// <summary>The smallest MTU that is believed (RFC 791).</summary>
    public const ushort MinMtu = 68;

    private const int DeviceIdOffset = 4;
    private const int QueuePairsOffset = 6;
    private const int UuidOffset = 8;
    private const int MacOffset = 24;
    private const int MtuOffset = 30;
    private const int MemoryEndOffset = 32;
    private const int NameOffset = 40;

    /// <summary>Reads and checks the payload.</summary>
    public static Verdict Parse(ReadOnlySpan<byte> payload, out DeviceInfo info)
    {
        info = default;
        if (payload.Length != Size)
            return Verdict.Refuse($"device info of {payload.Length} bytes instead of {Size}");

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(payload);
        if (version != Version)
            return Verdict.Refuse($"device info version {version}, known is {Version}");

        ushort deviceId = BinaryPrimitives.ReadUInt16LittleEndian(payload[DeviceIdOffset..]);
        if (deviceId != NetworkDeviceId)
            return Verdict.Refuse($"virtio device id {deviceId} is not a network device");

        ushort queuePairs = BinaryPrimitives.ReadUInt16LittleEndian(payload[QueuePairsOffset..]);
        if (queuePairs == 0)
            return Verdict.Refuse("device info without queue pairs");

        _ = MacAddress.TryParse(payload[MacOffset..], out MacAddress mac);
        if (mac.IsMulticast)
            return Verdict.Refuse($"device info with the group address {mac} as MAC");

        ushort mtu = BinaryPrimitives.ReadUInt16LittleEndian(payload[MtuOffset..]);
        if (mtu is not 0 and < MinMtu)
            return Verdict.Refuse($"device info with MTU {mtu}");

        ulong memoryEnd = BinaryPrimitives.ReadUInt64LittleEndian(payload[MemoryEndOffset..]);
        if (memoryEnd == 0)
            return Verdict.Refuse("device info without memory");

        info = new DeviceInfo(
            queuePairs,
            new Guid(payload.Slice(UuidOffset, 16), bigEndian: true),
            mac,
            mtu,
            memoryEnd,
            CleanName(payload.Slice(NameOffset, NameSize)));
        return Verdict.Ok;
    }

    /// <summary>Writes the payload; a name that is too long is cut at a character.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination[..Size].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Version);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[DeviceIdOffset..], NetworkDeviceId);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[QueuePairsOffset..], QueuePairs);
        _ = Uuid.TryWriteBytes(destination[UuidOffset..], bigEndian: true, out _);
        Mac.Write(destination[MacOffset..]);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[MtuOffset..], Mtu);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[MemoryEndOffset..], MemoryEnd);
        // The encoder stops before a character that does not fit.
        _ = System.Text.Unicode.Utf8.FromUtf16(Name, destination.Slice(NameOffset, NameSize), out _, out _);
    }

    private static string CleanName(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        string name = Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
        // It goes into logs and a monitor: no line breaks, no escape sequences, no direction overrides.
        var clean = new StringBuilder(name.Length);
        foreach (Rune rune in name.EnumerateRunes())
            clean.Append(IsShown(rune) ? rune.ToString() : "?");
        return clean.ToString();
    }

    private static bool IsShown(Rune rune)
        => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control
            or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.PrivateUse);
}
