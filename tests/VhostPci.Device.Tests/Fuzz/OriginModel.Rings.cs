// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>The requests about rings.</summary>
internal sealed partial class OriginModel
{
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
}
