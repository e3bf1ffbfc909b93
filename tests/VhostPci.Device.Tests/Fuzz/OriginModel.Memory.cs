// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
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

    /// <summary>Whether the pairs that would start can be shown.</summary>
    private bool CanPlace(List<(ulong Guest, ulong Length, ulong User, ulong Offset)> memory, bool all)
    {
        bool run = memory.Count != 0 && CanRun(0, memory.Count);
        for (int i = 0; run && i < _rings.Count; i++)
        {
            if ((all || !_rings[i].InUse) && CanRun(i / 2, memory.Count) && !TryPlace(_rings[i], memory, out _))
            {
                return false;
            }
        }

        return !run || Device is null || (IsStarted && !all) || IsExtended || Device.Accepts(Features);
    }

    private bool Place(RingModel ring)
    {
        bool placed = TryPlace(ring, _memory, out (ulong Desc, ulong Avail, ulong Used) at);
        if (placed)
        {
            (ring.Desc, ring.Avail, ring.Used) = at;
        }

        return placed;
    }

    private bool TryPlace(
        RingModel ring, List<(ulong Guest, ulong Length, ulong User, ulong Offset)> memory, out (ulong Desc, ulong Avail, ulong Used) placed)
    {
        placed = (ring.Desc, ring.Avail, ring.Used);
        if (ring.Address is not { } address)
        {
            return true;
        }

        ulong events = (Features & VirtioFeatures.RingEventIndex) != 0 ? 2UL : 0;
        if (!IsSize(ring.Size) || (IsPacked && ring.HasBase && (ring.Base & 0x7fff) >= ring.Size)
            || !TryTranslate(memory, address.Desc, 16UL * ring.Size, 16, out ulong desc)
            || !TryTranslate(memory, address.Avail, IsPacked ? 4 : 4 + (2UL * ring.Size) + events, IsPacked ? 4UL : 2, out ulong avail)
            || !TryTranslate(memory, address.Used, IsPacked ? 4 : 4 + (8UL * ring.Size) + events, 4, out ulong used))
        {
            return false;
        }

        placed = (desc, avail, used);
        return true;
    }

    private bool ActOnRing(RequestCode request, ReadOnlySpan<byte> payload, ref byte[]? reply)
    {
        bool isFile = request is RequestCode.SetVringKick or RequestCode.SetVringCall or RequestCode.SetVringError;
        uint index = isFile ? payload[0] : BinaryPrimitives.ReadUInt32LittleEndian(payload);
        if (index >= 64 || (index >= _rings.Count && _ringsFixed))
        {
            return false;
        }

        Grow((int)(index / 2) + 1);
        RingModel ring = _rings[(int)index];
        uint value = BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]);
        switch (request)
        {
            case RequestCode.SetVringNum:
                bool fits = IsSize(value) && (!ring.InUse || value == ring.Size);
                ring.Size = fits ? value : ring.Size;
                return fits;
            case RequestCode.SetVringBase:
                bool quiet = value <= 65535 || (IsPacked && value >> 16 == (value & 65535));
                if (!ring.InUse && quiet)
                {
                    ring.Base = value;
                    ring.HasBase = true;
                    ring.HasRun = false;
                }

                return quiet;
            case RequestCode.SetVringEnable:
                ring.Enabled = value == 1;
                return value <= 1;
            case RequestCode.SetVringAddress:
                return SetAddress(ring, payload);
            case RequestCode.GetVringBase:
                return GetBase(index, ring, out reply);
            default:
                return SetFile(request, ring);
        }
    }

    private bool SetAddress(RingModel ring, ReadOnlySpan<byte> payload)
    {
        ulong[] areas = [0, 0, 0, 0];
        for (int i = 0; i < 4; i++)
        {
            areas[i] = BinaryPrimitives.ReadUInt64LittleEndian(payload[(8 + (8 * i))..]);
        }

        (ulong Desc, ulong Avail, ulong Used, ulong Log) address = (areas[0], areas[2], areas[1], areas[3]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]) != 0)
        {
            return false;
        }

        if (ring.InUse && ring.Address == address)
        {
            return true;
        }

        ring.Address = address;
        if ((ring.Size != 0 && _memory.Count != 0 && !TryPlace(ring, _memory, out _)) || !CanPlace(_memory, all: ring.InUse))
        {
            return false;
        }

        if (ring.InUse)
        {
            StopAll();
        }

        return true;
    }

    private bool SetFile(RequestCode request, RingModel ring)
    {
        bool comes = _files.Count != 0;
        if (comes && _files[0] != FileKind.Event)
        {
            return false;
        }

        if (request == RequestCode.SetVringKick)
        {
            ring.Kick = comes;
            _files.Clear();
        }
        else if (request == RequestCode.SetVringCall)
        {
            ring.Call = comes;
            _files.Clear();
        }

        return true;
    }

    private bool GetBase(uint index, RingModel ring, out byte[] reply)
    {
        if (ring.InUse)
        {
            StopAll();
        }

        if (ring.HasRun)
        {
            FindPosition(ring);
        }

        ring.HasRun = false;
        ring.Kick = false;
        ring.Call = false;
        reply = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(reply, index);
        BinaryPrimitives.WriteUInt32LittleEndian(reply.AsSpan(4), ring.Base);
        return true;
    }
    private bool IsPacked => (Features & VirtioFeatures.RingPacked) != 0;

    internal bool RunsPacked => IsPacked && _rings.Exists(static ring => ring.HasRun);

    private bool IsSize(uint entries) => entries is > 0 and <= 32768 && (IsPacked || uint.IsPow2(entries));

    /// <summary>The memory is what says where the ring stands.</summary>
    private void FindPosition(RingModel ring)
    {
        if (IsPacked && TryFindPacked(ring, out PackedModel? packed))
        {
            (uint position, int rest, int count) = packed.Find();
            packed.Return(rest, count);
            mirror.Finished += count == 0 ? 0 : 1;
            (ring.Base, ring.HasBase) = (position | (position << 16), true);
        }
        else if (!IsPacked && TryFindFile(ring.Used + 2, sizeof(ushort), out ulong offset))
        {
            (ring.Base, ring.HasBase) = (contents[offset], true);
        }
    }

    /// <summary>The device is about to show the ring.</summary>
    internal void Show(RingModel ring)
    {
        if (IsPacked && ring is { HasBase: true, HasRun: false } && TryFindPacked(ring, out PackedModel? packed) && packed.Correct(ring.Base))
        {
            mirror.Corrected++;
        }

        mirror.Packed += IsPacked ? 1 : 0;
        ring.HasRun = true;
    }

    /// <summary>What the drivers on both sides do with a ring, or anybody who has the memory.</summary>
    /// <returns>The ring: one that was shown, if there is any.</returns>
    internal uint UseRing(Step step)
    {
        int[] shown = [.. Enumerable.Range(0, _rings.Count).Where(i => _rings[i].HasRun)];
        uint index = shown.Length == 0 ? step.Index : (uint)shown[step.Index % shown.Length];
        if (index >= _rings.Count || _rings[(int)index] is not { Size: > 0 } ring)
        {
            return index;
        }

        if (IsPacked && TryFindPacked(ring, out PackedModel? packed))
        {
            int count = 1 + (step.At % (int)ring.Size);
            packed.Use(count, (step.Value % 4) switch { 0 => count, 1 => 0, _ => count * (int)(step.Value % 64) / 64 });
        }
        else if (TryFindFile(ring.Used + 2, sizeof(ushort), out ulong offset))
        {
            contents[offset] = (ushort)step.Value;
        }

        return index;
    }

    private bool TryFindPacked(RingModel ring, [NotNullWhen(true)] out PackedModel? packed)
    {
        packed = TryFindFile(ring.Desc, 16UL * ring.Size, out ulong offset) ? new PackedModel(contents, offset, (int)ring.Size) : null;
        return packed is not null;
    }

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
