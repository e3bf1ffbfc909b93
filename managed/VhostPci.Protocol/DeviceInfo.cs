// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace VhostPci.Protocol;

/// <summary>Payload of VHOST_PCI_SET_DEVICE_INFO: who the origin is.</summary>
/// <param name="DeviceId">Kind of device, by its virtio id (<see cref="VirtioDeviceId"/>).</param>
/// <param name="QueuePairs">Ring pairs, at least 1.</param>
/// <param name="Uuid">UUID of the origin VM; empty when it has none.</param>
/// <param name="Mac">Address of the origin's interface; zero when not known.</param>
/// <param name="Mtu">Bytes, 68 or more; 0 when not known.</param>
/// <param name="MemoryEnd">The origin's highest guest address + 1, room for hot-plug included.</param>
/// <param name="Name">Device name: to be shown, never trusted. What is parsed holds no control characters.</param>
public readonly record struct DeviceInfo(ushort DeviceId, ushort QueuePairs, Guid Uuid, MacAddress Mac, ushort Mtu, ulong MemoryEnd, string Name)
    : IPayload<DeviceInfo>
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 104;

    /// <summary>The version of the layout that is known.</summary>
    public const uint KnownVersion = 1;

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

    static int IPayload<DeviceInfo>.Size => Size;

    /// <summary>Version of the layout; of another than <see cref="KnownVersion"/> nothing else means anything.</summary>
    public uint Version { get; private init; } = KnownVersion;

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<byte> payload, out DeviceInfo value)
    {
        bool fits = payload.Length == Size;
        value = fits
            ? new DeviceInfo(
                BinaryPrimitives.ReadUInt16LittleEndian(payload[DeviceIdOffset..]),
                BinaryPrimitives.ReadUInt16LittleEndian(payload[QueuePairsOffset..]),
                new Guid(payload.Slice(UuidOffset, 16), bigEndian: true),
                MacAddress.Read(payload[MacOffset..]),
                BinaryPrimitives.ReadUInt16LittleEndian(payload[MtuOffset..]),
                BinaryPrimitives.ReadUInt64LittleEndian(payload[MemoryEndOffset..]),
                CleanName(payload.Slice(NameOffset, NameSize)))
            {
                Version = BinaryPrimitives.ReadUInt32LittleEndian(payload),
            }
            : default;
        return fits;
    }

    /// <summary>Refuses what no origin can be. Whether there is a device for its <see cref="DeviceId"/> is for the server to say.</summary>
    public Verdict Check()
    {
        if (Version != KnownVersion)
            return Verdict.Refuse($"device info version {Version}, known is {KnownVersion}");
        if (QueuePairs == 0)
            return Verdict.Refuse("device info without queue pairs");
        if (Mac.IsMulticast)
            return Verdict.Refuse($"device info with the group address {Mac} as MAC");
        if (Mtu is not 0 and < MinMtu)
            return Verdict.Refuse($"device info with MTU {Mtu}");
        return MemoryEnd == 0 ? Verdict.Refuse("device info without memory") : Verdict.Ok;
    }

    /// <summary>Writes the payload; a name that is too long is cut at a character.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination[..Size].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(destination, KnownVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[DeviceIdOffset..], DeviceId);
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
