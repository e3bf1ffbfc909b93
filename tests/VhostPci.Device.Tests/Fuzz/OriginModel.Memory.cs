// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Memory and the rings in it.</summary>
internal sealed partial class OriginModel
{
    private bool HasSlots => (_protocolFeatures & ProtocolFeatures.ConfigureMemorySlots) != 0;

    private static (ulong Guest, ulong Length, ulong User, ulong Offset) ReadRegion(ReadOnlySpan<byte> bytes) => (
        BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));

    private static bool IsSound((ulong Guest, ulong Length, ulong User, ulong Offset) region)
        => region.Length != 0
        && (UInt128)region.Guest + region.Length <= ulong.MaxValue
        && (UInt128)region.User + region.Length <= ulong.MaxValue
        && (UInt128)region.Offset + region.Length <= ulong.MaxValue;

    private static bool Touch(ulong a, ulong b, ulong aLength, ulong bLength) => (UInt128)a < (UInt128)b + bLength && (UInt128)b < (UInt128)a + aLength;

    private bool SetTable(ReadOnlySpan<byte> payload)
    {
        // Judged as a whole before anything happens.
        var next = new List<(ulong Guest, ulong Length, ulong User, ulong Offset)>();
        ulong end = 0;
        for (int at = 8; at < payload.Length; at += 32)
        {
            (ulong Guest, ulong Length, ulong User, ulong Offset) region = ReadRegion(payload[at..]);
            if (!IsSound(region))
            {
                return false;
            }

            end = Math.Max(end, region.Guest + region.Length);
        }

        for (int at = 8; at < payload.Length; at += 32)
        {
            if (!Add(next, ReadRegion(payload[at..]), _files[at / 32]))
            {
                return false;
            }
        }

        if (WindowFor(end) == 0 || !CanPlace(next, all: true))
        {
            return false;
        }

        StopAll();
        _memory.Clear();
        if (!NeedDevice(end))
        {
            return false;
        }

        _memory.AddRange(next);
        _files.Clear();
        return true;
    }

    private bool AddRegion(ReadOnlySpan<byte> payload)
    {
        (ulong Guest, ulong Length, ulong User, ulong Offset) region = ReadRegion(payload[8..]);
        List<(ulong Guest, ulong Length, ulong User, ulong Offset)> next = [.. _memory];
        if (!HasSlots || !IsSound(region) || !Add(next, region, _files[0]) || WindowFor(region.Guest + region.Length) == 0
            || !CanPlace(next, all: false) || !NeedDevice(region.Guest + region.Length))
        {
            return false;
        }

        _memory.Add(region);
        _files.Clear();
        return true;
    }

    private bool RemoveRegion(ReadOnlySpan<byte> payload)
    {
        (ulong Guest, ulong Length, ulong User, ulong Offset) region = ReadRegion(payload[8..]);
        int index = _memory.FindIndex(other => other.Guest == region.Guest && other.Length == region.Length && other.User == region.User);
        if (!HasSlots || index < 0)
        {
            return false;
        }

        List<(ulong Guest, ulong Length, ulong User, ulong Offset)> next = [.. _memory];
        next.RemoveAt(index);
        if (!CanPlace(next, all: true))
        {
            return false;
        }

        StopAll();
        _memory.RemoveAt(index);
        return true;
    }

    private static bool Add(
        List<(ulong Guest, ulong Length, ulong User, ulong Offset)> memory, (ulong Guest, ulong Length, ulong User, ulong Offset) region, FileKind kind)
    {
        bool sound = kind == FileKind.Memory
            && memory.Count < 8
            && (region.Guest | region.Length | region.Offset) % 4096 == 0
            && (UInt128)region.Offset + region.Length <= IPorts.MemorySize
            && !memory.Exists(other => Touch(region.Guest, other.Guest, region.Length, other.Length)
                || Touch(region.User, other.User, region.Length, other.Length));
        if (sound)
        {
            memory.Add(region);
        }

        return sound;
    }

    /// <summary>The whole area must be in one region, and aligned in the guest.</summary>
    private static bool TryTranslate(
        List<(ulong Guest, ulong Length, ulong User, ulong Offset)> memory, ulong user, ulong length, ulong alignment, out ulong guest)
    {
        guest = 0;
        foreach ((ulong start, ulong size, ulong userStart, _) in memory)
        {
            if (user >= userStart && (UInt128)user + length <= (UInt128)userStart + size)
            {
                guest = start + (user - userStart);
                return guest % alignment == 0;
            }
        }

        return false;
    }

    /// <summary>Where a range of the guest's is in the file behind it.</summary>
    private bool TryFindFile(ulong guest, ulong length, out ulong offset)
    {
        foreach ((ulong start, ulong size, _, ulong fileOffset) in _memory)
        {
            if (guest >= start && (UInt128)guest + length <= (UInt128)start + size)
            {
                offset = fileOffset + (guest - start);
                return true;
            }
        }

        offset = 0;
        return false;
    }
}
