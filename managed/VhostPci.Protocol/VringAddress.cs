// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>Payload of SET_VRING_ADDR; on the wire the addresses are the front-end's user addresses.</summary>
/// <param name="Index">Ring number, unchecked.</param>
/// <param name="Flags">Bit 0: dirty logging, which is not offered.</param>
/// <param name="Desc">Descriptor table.</param>
/// <param name="Used">Used ring (device area).</param>
/// <param name="Avail">Available ring (driver area).</param>
/// <param name="Log">Where writes to the used ring are logged; not used.</param>
public readonly record struct VringAddress(uint Index, uint Flags, ulong Desc, ulong Used, ulong Avail, ulong Log) : IPayload<VringAddress>
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 40;

    static int IPayload<VringAddress>.Size => Size;

    /// <summary>Reads the payload.</summary>
    /// <returns>False when <paramref name="payload"/> is not exactly <see cref="Size"/> bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> payload, out VringAddress address)
    {
        bool fits = payload.Length == Size;
        address = fits
            ? new VringAddress(
                BinaryPrimitives.ReadUInt32LittleEndian(payload),
                BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]),
                BinaryPrimitives.ReadUInt64LittleEndian(payload[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(payload[16..]),
                BinaryPrimitives.ReadUInt64LittleEndian(payload[24..]),
                BinaryPrimitives.ReadUInt64LittleEndian(payload[32..]))
            : default;
        return fits;
    }

    /// <summary>Writes the payload.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Index);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], Desc);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], Used);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], Avail);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[32..], Log);
    }
}
