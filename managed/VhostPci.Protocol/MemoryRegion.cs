// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>One region of the origin's memory, as SET_MEM_TABLE, ADD_MEM_REG and REM_MEM_REG carry it; unchecked.</summary>
/// <param name="GuestAddress">First byte, guest-physical in the origin.</param>
/// <param name="Length">Bytes.</param>
/// <param name="UserAddress">First byte in the front-end's own addresses, which SET_VRING_ADDR uses.</param>
/// <param name="FileOffset">Byte in the file where the region starts.</param>
public readonly record struct MemoryRegion(ulong GuestAddress, ulong Length, ulong UserAddress, ulong FileOffset)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 32;

    /// <summary>Reads one region.</summary>
    /// <param name="source">At least <see cref="Size"/> bytes.</param>
    public static MemoryRegion Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(source),
        BinaryPrimitives.ReadUInt64LittleEndian(source[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(source[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(source[24..]));

    /// <summary>Writes the region.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, GuestAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], Length);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], UserAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], FileOffset);
    }
}
