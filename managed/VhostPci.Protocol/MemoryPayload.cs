// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>Payloads of the memory requests: a whole table, or one region.</summary>
public static class MemoryPayload
{
    /// <summary>The greatest number of regions in a table, and of memory slots.</summary>
    public const int MaxRegions = 8;

    /// <summary>Bytes before the first region of a table: count and padding.</summary>
    public const int TableHeaderSize = 8;

    /// <summary>Bytes of ADD_MEM_REG and REM_MEM_REG: padding and one region.</summary>
    public const int SingleSize = 8 + MemoryRegion.Size;

    /// <summary>Bytes of SET_MEM_TABLE with that many regions.</summary>
    public static int TableSize(int count) => TableHeaderSize + count * MemoryRegion.Size;

    /// <summary>Reads SET_MEM_TABLE.</summary>
    /// <param name="payload">The whole payload.</param>
    /// <param name="regions">Room for <see cref="MaxRegions"/>.</param>
    /// <param name="count">Regions read.</param>
    /// <returns>False when the count is 0 or above <see cref="MaxRegions"/>, or does not fit the payload's length.</returns>
    public static bool TryParseTable(ReadOnlySpan<byte> payload, Span<MemoryRegion> regions, out int count)
    {
        count = 0;
        if (payload.Length < TableHeaderSize)
            return false;

        uint announced = BinaryPrimitives.ReadUInt32LittleEndian(payload);
        if (announced is 0 or > MaxRegions || regions.Length < announced || payload.Length != TableSize((int)announced))
            return false;

        for (; count < announced; count++)
            regions[count] = MemoryRegion.Read(payload[TableSize(count)..]);
        return true;
    }

    /// <summary>Writes SET_MEM_TABLE.</summary>
    /// <param name="destination">At least <see cref="TableSize"/> bytes for that many regions.</param>
    /// <param name="regions">1 to <see cref="MaxRegions"/>.</param>
    /// <returns>Bytes written.</returns>
    public static int WriteTable(Span<byte> destination, ReadOnlySpan<MemoryRegion> regions)
    {
        ArgumentOutOfRangeException.ThrowIfZero(regions.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(regions.Length, MaxRegions);
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)regions.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], 0);
        for (int i = 0; i < regions.Length; i++)
            regions[i].Write(destination[TableSize(i)..]);
        return TableSize(regions.Length);
    }
}
