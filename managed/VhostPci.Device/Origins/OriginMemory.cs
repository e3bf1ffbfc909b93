// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The checked memory of an origin: the table of numbers with the files behind it, which it owns.</summary>
internal sealed class OriginMemory : IDisposable
{
    private readonly List<IPeerFile> _files = new(MemoryPayload.MaxRegions);

    internal int Count => Table.Count;

    internal MemoryRegion GetRegion(int index) => Table.Regions[index];

    internal IPeerFile GetFile(int index) => _files[index];

    /// <summary>The numbers.</summary>
    internal MemoryTable Table { get; private set; } = new();

    /// <summary>Adds a region that has been checked, and what is behind it, which this table owns from here on.</summary>
    internal void Add(MemoryRegion region, IPeerFile file)
    {
        Verdict verdict = Table.Add(region);
        if (!verdict.IsOk)
        {
            throw new InvalidOperationException($"a memory region was not checked: {verdict.Reason}");
        }

        _files.Add(file);
    }

    internal void RemoveAt(int index)
    {
        Table.Remove(Table.Regions[index]);
        _files[index].Dispose();
        _files.RemoveAt(index);
    }

    /// <summary>Reads from the origin's memory without touching a mapping.</summary>
    internal bool TryReadUInt16(ulong guest, out ushort value)
    {
        value = 0;
        return TryFind(guest, sizeof(ushort), out IPeerFile? file, out ulong offset) && file.TryReadUInt16(offset, out value);
    }

    /// <summary>Writes to the origin's memory without touching a mapping.</summary>
    /// <param name="guest">Where a table begins.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="words">Even offsets from there, and numbers, in the order in which they are written.</param>
    internal bool TryWrite(ulong guest, ulong length, ReadOnlySpan<(uint At, ushort Value)> words)
        => TryFind(guest, length, out IPeerFile? file, out ulong offset) && file.TryWrite(offset, length, words);

    /// <summary>Reads the flags of a packed ring's descriptors.</summary>
    /// <returns>Null when they cannot be read.</returns>
    internal ushort[]? TryReadFlags(ulong guest, uint entries)
    {
        byte[] bytes = new byte[entries * PackedRing.DescriptorSize];
        return TryFind(guest, (ulong)bytes.Length, out IPeerFile? file, out ulong offset) && file.TryRead(offset, bytes)
            ? PackedRing.GetFlags(bytes)
            : null;
    }

    private bool TryFind(ulong guest, ulong length, [NotNullWhen(true)] out IPeerFile? file, out ulong offset)
    {
        for (int i = 0; i < Table.Count; i++)
        {
            MemoryRegion region = Table.Regions[i];
            if (guest >= region.GuestAddress && length <= region.Length && guest - region.GuestAddress <= region.Length - length)
            {
                file = _files[i];
                offset = region.FileOffset + (guest - region.GuestAddress);
                return true;
            }
        }

        file = null;
        offset = 0;
        return false;
    }

    public void Dispose()
    {
        Table.Clear();
        _files.ForEach(static file => file.Dispose());
        _files.Clear();
    }
}
