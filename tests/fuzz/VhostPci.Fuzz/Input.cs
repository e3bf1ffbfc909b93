// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Fuzz;

/// <summary>What is left of an input; zeros behind its end.</summary>
internal ref struct Input(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _left = bytes;

    internal readonly bool IsEmpty => _left.IsEmpty;

    internal byte Byte() => Bytes(1)[0];

    internal ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

    internal ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    internal ReadOnlySpan<byte> Bytes(int count)
    {
        ReadOnlySpan<byte> taken = _left[..Math.Min(count, _left.Length)];
        _left = _left[taken.Length..];
        return taken.Length == count ? taken : Padded(taken, count);
    }

    /// <summary>At most so many, and none behind the end.</summary>
    internal ReadOnlySpan<byte> UpTo(int count)
    {
        ReadOnlySpan<byte> taken = _left[..Math.Min(count, _left.Length)];
        _left = _left[taken.Length..];
        return taken;
    }

    private static ReadOnlySpan<byte> Padded(ReadOnlySpan<byte> bytes, int count)
    {
        byte[] padded = new byte[count];
        bytes.CopyTo(padded);
        return padded;
    }
}
