// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>Payload of SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR.</summary>
/// <param name="Index">Ring number, 0 to 255.</param>
/// <param name="HasDescriptor">Whether an eventfd comes along; if not, that side polls.</param>
public readonly record struct VringFile(uint Index, bool HasDescriptor) : IPayload<VringFile>
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 8;

    /// <summary>Bit 8: no descriptor comes along.</summary>
    public const ulong NoDescriptorBit = 1UL << 8;

    private const ulong IndexMask = 0xff;

    static int IPayload<VringFile>.Size => Size;

    /// <summary>Reads the payload.</summary>
    /// <returns>False when the length is not <see cref="Size"/> or a bit above bit 8 is set.</returns>
    public static bool TryParse(ReadOnlySpan<byte> payload, out VringFile file)
    {
        file = default;
        if (payload.Length != Size)
            return false;

        ulong value = BinaryPrimitives.ReadUInt64LittleEndian(payload);
        if ((value & ~(IndexMask | NoDescriptorBit)) != 0)
            return false;

        file = new VringFile((uint)(value & IndexMask), (value & NoDescriptorBit) == 0);
        return true;
    }

    /// <summary>Writes the payload; of <see cref="Index"/> only the low 8 bits have room.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
        => BinaryPrimitives.WriteUInt64LittleEndian(destination, (Index & IndexMask) | (HasDescriptor ? 0 : NoDescriptorBit));
}
