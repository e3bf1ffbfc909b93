// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What an origin's memory holds: noise, and what was written over it.</summary>
internal sealed class Contents
{
    internal const int PageSize = 4096;
    private const int PageWords = PageSize / sizeof(ushort);

    private static readonly ushort[] AllNoise = MakeNoise();

    private readonly Dictionary<int, ushort[]> _written = [];

    /// <summary>Counts the changes.</summary>
    internal long Version { get; private set; }

    /// <summary>What every file holds at first.</summary>
    internal static ReadOnlySpan<byte> Noise => MemoryMarshal.AsBytes<ushort>(AllNoise);

    /// <summary>The pages that were written to.</summary>
    internal IEnumerable<int> Pages => _written.Keys;

    /// <summary>The little-endian word at an even offset of the file.</summary>
    internal ushort this[ulong offset]
    {
        get => Page((int)(offset / PageSize))[(int)(offset % PageSize / sizeof(ushort))];
        set
        {
            int page = (int)(offset / PageSize);
            if (!_written.TryGetValue(page, out ushort[]? words))
            {
                _written.Add(page, words = Page(page).ToArray());
            }

            words[offset % PageSize / sizeof(ushort)] = value;
            Version++;
        }
    }

    internal ReadOnlySpan<byte> Bytes(int page) => MemoryMarshal.AsBytes(Page(page));

    internal void Read(ulong offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            ReadOnlySpan<byte> page = Bytes((int)(offset / PageSize))[(int)(offset % PageSize)..];
            int count = Math.Min(page.Length, destination.Length);
            page[..count].CopyTo(destination);
            destination = destination[count..];
            offset += (ulong)count;
        }
    }

    internal void CopyFrom(Contents other)
    {
        Version++;
        _written.Clear();
        foreach ((int page, ushort[] words) in other._written)
        {
            _written.Add(page, [.. words]);
        }
    }

    internal void AssertPage(int page, ReadOnlySpan<byte> found)
    {
        if (!found.SequenceEqual(Bytes(page)))
        {
            int at = found.CommonPrefixLength(Bytes(page)) & ~1;
            Assert.Fail($"the memory has 0x{BitConverter.ToUInt16(found[at..]):x4} at 0x{(page * PageSize) + at:x} and should have 0x{BitConverter.ToUInt16(Bytes(page)[at..]):x4}");
        }
    }

    private ReadOnlySpan<ushort> Page(int page)
        => _written.TryGetValue(page, out ushort[]? words) ? words : AllNoise.AsSpan(page * PageWords, PageWords);

    private static ushort[] MakeNoise()
    {
        ushort[] noise = new ushort[IPorts.MemorySize / sizeof(ushort)];
        for (int i = 0; i < noise.Length; i++)
        {
            noise[i] = unchecked((ushort)((i * 40503) + 7));
        }

        return noise;
    }
}
