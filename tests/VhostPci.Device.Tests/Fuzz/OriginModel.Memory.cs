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
        StopAll();
        _memory.Clear();
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

        if (!NeedDevice(end))
        {
            return false;
        }

        for (int at = 8; at < payload.Length; at += 32)
        {
            if (!Add(ReadRegion(payload[at..]), _files[at / 32]))
            {
                return false;
            }
        }

        _files.Clear();
        return true;
    }

    private bool AddRegion(ReadOnlySpan<byte> payload)
    {
        (ulong Guest, ulong Length, ulong User, ulong Offset) region = ReadRegion(payload[8..]);
        if (!HasSlots || !IsSound(region) || !NeedDevice(region.Guest + region.Length) || !Add(region, _files[0]))
        {
            return false;
        }

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

        StopAll();
        _memory.RemoveAt(index);
        return true;
    }

    private bool Add((ulong Guest, ulong Length, ulong User, ulong Offset) region, FileKind kind)
    {
        bool sound = kind == FileKind.Memory
            && _memory.Count < 8
            && (region.Guest | region.Length | region.Offset) % 4096 == 0
            && (UInt128)region.Offset + region.Length <= IPorts.MemorySize
            && (UInt128)region.Guest + region.Length <= _windowSize
            && !_memory.Exists(other => Touch(region.Guest, other.Guest, region.Length, other.Length)
                || Touch(region.User, other.User, region.Length, other.Length));
        if (sound)
        {
            _memory.Add(region);
        }

        return sound;
    }

    /// <summary>The whole area must be in one region, and aligned in the guest.</summary>
    private bool TryTranslate(ulong user, ulong length, ulong alignment, out ulong guest)
    {
        guest = 0;
        foreach ((ulong start, ulong size, ulong userStart, _) in _memory)
        {
            if (user >= userStart && (UInt128)user + length <= (UInt128)userStart + size)
            {
                guest = start + (user - userStart);
                return guest % alignment == 0;
            }
        }

        return false;
    }

    private bool Place(RingModel ring)
    {
        if (ring.Address is not { } address)
        {
            return true;
        }

        ulong events = (Features & VirtioNetFeatures.RingEventIndex) != 0 ? 2UL : 0;
        if (!TryTranslate(address.Desc, 16UL * ring.Size, 16, out ulong desc)
            || !TryTranslate(address.Avail, 4 + (2UL * ring.Size) + events, 2, out ulong avail)
            || !TryTranslate(address.Used, 4 + (8UL * ring.Size) + events, 4, out ulong used))
        {
            return false;
        }

        (ring.Desc, ring.Avail, ring.Used) = (desc, avail, used);
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
                bool fits = value is > 0 and <= 32768 && uint.IsPow2(value) && (!ring.InUse || value == ring.Size);
                ring.Size = fits ? value : ring.Size;
                return fits;
            case RequestCode.SetVringBase:
                if (!ring.InUse && value <= 65535)
                {
                    ring.Base = value;
                    ring.HasRun = false;
                }

                return value <= 65535;
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

        if (ring.InUse && ring.Address != address)
        {
            StopAll();
        }

        ring.Address = address;
        return ring.InUse || ring.Size == 0 || _memory.Count == 0 || Place(ring);
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

        foreach ((ulong start, ulong size, _, ulong offset) in _memory)
        {
            if (ring.HasRun && ring.Used + 2 >= start && ring.Used + 4 <= start + size)
            {
                ring.Base = IPorts.Content(offset + (ring.Used + 2 - start));
            }
        }

        ring.HasRun = false;
        ring.Kick = false;
        ring.Call = false;
        reply = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(reply, index);
        BinaryPrimitives.WriteUInt32LittleEndian(reply.AsSpan(4), ring.Base);
        return true;
    }
}
