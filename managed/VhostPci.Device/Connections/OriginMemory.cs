// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Connections;

/// <summary>The checked memory of an origin: the table of numbers with the files behind it, which it owns.</summary>
internal sealed class OriginMemory : IDisposable
{
    private readonly MemoryTable _table = new();
    private readonly List<IPeerFile> _files = new(MemoryPayload.MaxRegions);

    internal int Count => _table.Count;

    internal MemoryRegion GetRegion(int index) => _table.Regions[index];

    internal IPeerFile GetFile(int index) => _files[index];

    /// <summary>Checks a region against its file, the window and the others.</summary>
    /// <returns>When all is well the file belongs to this table; otherwise it stays the caller's.</returns>
    internal Verdict Add(MemoryRegion region, IPeerFile file, ulong windowSize, bool allowUnsealed)
    {
        Verdict verdict = MemoryRules.Check(region, file.GetFacts(), windowSize, allowUnsealed);
        if (verdict.IsOk)
        {
            verdict = _table.Add(region);
        }

        if (verdict.IsOk)
        {
            _files.Add(file);
        }

        return verdict;
    }

    /// <summary>Position of the region that a removal means, or -1.</summary>
    internal int Find(MemoryRegion region) => _table.Find(region);

    internal void RemoveAt(int index)
    {
        _table.Remove(_table.Regions[index]);
        _files[index].Dispose();
        _files.RemoveAt(index);
    }

    internal Verdict Place(VringAddress address, RingLayout layout, out VringAddress placed) => _table.TranslateRing(address, layout, out placed);

    /// <summary>Reads from the origin's memory without touching a mapping.</summary>
    internal bool TryReadUInt16(ulong guest, out ushort value)
    {
        value = 0;
        return TryFind(guest, sizeof(ushort), out IPeerFile? file, out ulong offset) && file.TryReadUInt16(offset, out value);
    }

    /// <summary>Writes to the origin's memory without touching a mapping.</summary>
    internal bool TryWriteUInt16(ulong guest, ushort value)
        => TryFind(guest, sizeof(ushort), out IPeerFile? file, out ulong offset) && file.TryWriteUInt16(offset, value);

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
        for (int i = 0; i < _table.Count; i++)
        {
            MemoryRegion region = _table.Regions[i];
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
        _table.Clear();
        foreach (IPeerFile file in _files)
        {
            file.Dispose();
        }

        _files.Clear();
    }
}
