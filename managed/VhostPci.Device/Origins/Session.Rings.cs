// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The requests about rings.</summary>
internal sealed partial class Session
{
    private Verdict SetVringNum(uint index, uint entries)
    {
        Verdict verdict = _rings.Check(index);
        verdict = verdict.IsOk ? RingLayout.CheckEntries(entries, IsPacked) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        Ring ring = _rings.Get(index);
        return ring.IsInUse && ring.Size != entries
            ? Verdict.Refuse($"ring {index} cannot change its size while it runs")
            : Change(ring, ring.Facts with { Size = entries }, all: false);
    }

    private Verdict SetVringBase(uint index, uint position)
    {
        Verdict verdict = _rings.Check(index);
        verdict = verdict.IsOk ? CheckPosition(index, position) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        Ring ring = _rings.Get(index);
        return ring.IsInUse ? Verdict.Ok : Change(ring, ring.Facts with { Base = position, HasBase = true, HasRun = false }, all: false);
    }

    private Verdict SetVringEnable(uint index, uint value)
    {
        Verdict verdict = _rings.Check(index);
        verdict = verdict.IsOk && value > 1 ? Verdict.Refuse($"ring {index} enabled with {value}") : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        Ring ring = _rings.Get(index);
        return Change(ring, ring.Facts with { IsEnabled = value == 1 }, all: false);
    }

    /// <summary>Takes new facts about a ring, unless the rings that would then start cannot.</summary>
    private Verdict Change(Ring ring, RingFacts facts, bool all)
    {
        RingFacts before = ring.Facts;
        ring.Facts = facts;
        Verdict verdict = CheckStart(Memory.Table, all);
        if (!verdict.IsOk)
        {
            ring.Facts = before;
        }

        return verdict;
    }

    private bool IsPacked => (Features & VirtioFeatures.RingPacked) != 0;

    private Verdict CheckPosition(uint index, uint position)
    {
        if (!IsPacked && position > ushort.MaxValue)
        {
            return Verdict.Refuse($"ring {index} at position {position}");
        }

        return IsPacked && !PackedPosition.TryFromWire(position, out _)
            ? Verdict.Refuse($"ring {index} at position 0x{position:x}: a packed ring with buffers under way cannot be taken over")
            : Verdict.Ok;
    }

    private Verdict SetVringAddress(VringAddress address)
    {
        Verdict verdict = _rings.Check(address.Index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        if (address.Flags != 0)
        {
            return Verdict.Refuse($"ring {address.Index} with flags 0x{address.Flags:x}: dirty logging was not offered");
        }

        Ring ring = _rings.Get(address.Index);
        if (ring.IsInUse && ring.Address == address)
        {
            return Verdict.Ok;
        }

        // Better now than at the start, if it can be known: the log line then names the message that was wrong.
        RingFacts facts = ring.Facts with { Address = address };
        verdict = ring.Size == 0 || Memory.Count == 0 ? Verdict.Ok : Place(facts, Memory.Table, out _);
        verdict = verdict.IsOk ? Change(ring, facts, all: ring.IsInUse) : verdict;
        if (verdict.IsOk && ring.IsInUse)
        {
            Halt();
        }

        return verdict;
    }

    private Verdict SetVringFile(VringFile file, RingEndpoint endpoint, IMessageFiles files)
    {
        Verdict verdict = _rings.Check(file.Index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        if (file.HasDescriptor && !files.Peek(0).IsEventDescriptor)
        {
            return Verdict.Refuse($"the descriptor for ring {file.Index} is not an eventfd");
        }

        Ring ring = _rings.Get(file.Index);
        if (endpoint == RingEndpoint.Error)
        {
            return Verdict.Ok;
        }

        IPeerFile? next = file.HasDescriptor ? files.Take(0) : null;
        IPeerFile? before = ring.Exchange(endpoint, next);
        verdict = CheckStart(Memory.Table, all: false);
        if (!verdict.IsOk)
        {
            ring.Exchange(endpoint, before)?.Dispose();
            return verdict;
        }

        using (before)
        {
            // The old one is closed only when nothing uses it any more.
            next?.SetNonBlocking();
            if (ring.IsInUse)
            {
                owner.Device?.Unbind((int)file.Index, endpoint);
            }
        }

        if (!ring.IsInUse || next is null || owner.Device is not { } device)
        {
            return Verdict.Ok;
        }

        return device.TryRebind((int)file.Index, endpoint)
            ? Verdict.Ok
            : Verdict.Refuse($"the eventfd for ring {file.Index} could not be bound");
    }

    private Verdict StopRing(uint index, Span<byte> reply, out int replySize)
    {
        replySize = 0;
        Verdict verdict = _rings.Check(index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // First the window, then the index: nothing can be added to the ring after it has been read. Pairs that are complete
        // come back by themselves, when the mirror's driver has let go of this one.
        Ring ring = _rings.Get(index);
        if (ring.IsInUse)
        {
            Halt();
        }

        if (ring.HasRun && TryFindPosition(ring, out uint position))
        {
            ring.Base = position;
            ring.HasBase = true;
        }

        ring.HasRun = false;
        ring.CloseFiles();
        new VringState(index, ring.Base).Write(reply);
        replySize = VringState.Size;
        return Verdict.Ok;
    }

    /// <summary>For people: where the origin's driver and the mirror's driver are by now.</summary>
    internal (ushort Avail, ushort Used) ReadIndices(Ring ring)
    {
        if (!IsPacked)
        {
            _ = Memory.TryReadUInt16(ring.Placement.Avail + RingLayout.IndexOffset, out ushort avail);
            _ = Memory.TryReadUInt16(ring.Placement.Used + RingLayout.IndexOffset, out ushort used);
            return (avail, used);
        }

        if (Memory.TryReadFlags(ring.Placement.Desc, ring.Size) is not { } flags)
        {
            return default;
        }

        PackedPosition position = PackedRing.Find(flags, out _);
        PackedPosition end = position;
        for (int left = PackedRing.CountAvailable(flags, position); left > 0; left--)
        {
            end = PackedRing.Next(end, flags.Length);
        }

        return (end.Value, position.Value);
    }

    private bool TryFindPosition(Ring ring, out uint position)
    {
        position = 0;
        if (!IsPacked)
        {
            bool read = Memory.TryReadUInt16(ring.Placement.Used + RingLayout.IndexOffset, out ushort used);
            position = used;
            return read;
        }

        if (Memory.TryReadFlags(ring.Placement.Desc, ring.Size) is not { } flags)
        {
            return false;
        }

        position = PackedRing.Find(flags, out SlotRange rest).ToWire();
        if (!rest.IsEmpty)
        {
            (uint, ushort)[] words = [.. rest.LastToFirst(flags.Length).Select(
                slot => ((uint)((slot * PackedRing.DescriptorSize) + PackedRing.FlagsOffset), PackedRing.Return(flags[slot])))];
            _ = Memory.TryWrite(ring.Placement.Desc, (ulong)flags.Length * PackedRing.DescriptorSize, words);
        }

        return true;
    }

    private Verdict Place(Ring ring, MemoryTable memory, out VringAddress placed) => Place(ring.Facts, memory, out placed);

    /// <summary>Where a ring is in the guest.</summary>
    private Verdict Place(RingFacts ring, MemoryTable memory, out VringAddress placed)
    {
        placed = default;
        if (ring.Address is not { } address)
        {
            return Verdict.Ok;
        }

        // The features may have come after the size, or changed.
        Verdict entries = RingLayout.CheckEntries(ring.Size, IsPacked);
        if (!entries.IsOk)
        {
            return entries;
        }

        int slot = ring.Position.Slot;
        return IsPacked && ring.HasBase && slot >= ring.Size
            ? Verdict.Refuse($"ring {address.Index} at slot {slot} of {ring.Size}")
            : memory.TranslateRing(address, ring.Layout(Features), out placed);
    }
}
