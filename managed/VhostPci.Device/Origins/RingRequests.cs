// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The requests about rings.</summary>
internal sealed class RingRequests(DeviceClaim claim, Agreement agreement, OriginMemory memory, RingTable rings, RingRunner runner)
{
    internal Verdict SetSize(uint index, uint entries)
    {
        Verdict verdict = rings.Check(index);
        verdict = verdict.IsOk ? RingLayout.CheckEntries(entries, agreement.IsPacked) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        Ring ring = rings.Get(index);
        return ring.IsInUse && ring.Size != entries
            ? Verdict.Refuse($"ring {index} cannot change its size while it runs")
            : Change(ring, ring.Facts with { Size = entries }, all: false);
    }

    internal Verdict SetBase(uint index, uint position)
    {
        Verdict verdict = rings.Check(index);
        verdict = verdict.IsOk ? CheckPosition(index, position) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        Ring ring = rings.Get(index);
        return ring.IsInUse ? Verdict.Ok : Change(ring, ring.Facts with { Base = position, HasBase = true, HasRun = false }, all: false);
    }

    internal Verdict Enable(uint index, uint value)
    {
        Verdict verdict = rings.Check(index);
        verdict = verdict.IsOk && value > 1 ? Verdict.Refuse($"ring {index} enabled with {value}") : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        Ring ring = rings.Get(index);
        return Change(ring, ring.Facts with { IsEnabled = value == 1 }, all: false);
    }

    internal Verdict SetAddress(VringAddress address)
    {
        Verdict verdict = rings.Check(address.Index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        if (address.Flags != 0)
        {
            return Verdict.Refuse($"ring {address.Index} with flags 0x{address.Flags:x}: dirty logging was not offered");
        }

        Ring ring = rings.Get(address.Index);
        if (ring.IsInUse && ring.Address == address)
        {
            return Verdict.Ok;
        }

        // Better now than at the start, if it can be known: the log line then names the message that was wrong.
        RingFacts facts = ring.Facts with { Address = address };
        verdict = ring.Size == 0 || memory.Count == 0 ? Verdict.Ok : runner.Place(facts, memory.Table, out _);
        verdict = verdict.IsOk ? Change(ring, facts, all: ring.IsInUse) : verdict;
        if (verdict.IsOk && ring.IsInUse)
        {
            runner.Halt();
        }

        return verdict;
    }

    internal Verdict SetFile(VringFile file, RingEndpoint endpoint, IMessageFiles files)
    {
        Verdict verdict = rings.Check(file.Index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        if (file.HasDescriptor && !files.Peek(0).IsEventDescriptor)
        {
            return Verdict.Refuse($"the descriptor for ring {file.Index} is not an eventfd");
        }

        Ring ring = rings.Get(file.Index);
        if (endpoint == RingEndpoint.Error)
        {
            return Verdict.Ok;
        }

        IPeerFile? next = file.HasDescriptor ? files.Take(0) : null;
        IPeerFile? before = ring.Exchange(endpoint, next);
        verdict = runner.CheckStart(memory.Table, all: false);
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
                claim.Device?.Unbind((int)file.Index, endpoint);
            }
        }

        return !ring.IsInUse || next is null || claim.Device is not { } device || device.TryRebind((int)file.Index, endpoint)
            ? Verdict.Ok
            : Verdict.Refuse($"the eventfd for ring {file.Index} could not be bound");
    }

    /// <summary>Stops a ring.</summary>
    /// <param name="index">Which.</param>
    /// <param name="position">Where it stands.</param>
    internal Verdict Stop(uint index, out uint position)
    {
        position = 0;
        Verdict verdict = rings.Check(index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // First the window, then the index: nothing can be added to the ring after it has been read. Groups that are complete
        // come back by themselves, when the mirror's driver has let go of this one.
        Ring ring = rings.Get(index);
        if (ring.IsInUse)
        {
            runner.Halt();
        }

        if (ring.HasRun && RingPosition.TryTake(memory, ring, agreement.IsPacked, out uint found))
        {
            ring.Facts = ring.Facts with { Base = found, HasBase = true };
        }

        ring.Facts = ring.Facts with { HasRun = false };
        ring.CloseFiles();
        position = ring.Base;
        return Verdict.Ok;
    }

    /// <summary>Takes new facts about a ring, unless the rings that would then start cannot.</summary>
    private Verdict Change(Ring ring, RingFacts facts, bool all)
    {
        RingFacts before = ring.Facts;
        ring.Facts = facts;
        Verdict verdict = runner.CheckStart(memory.Table, all);
        if (!verdict.IsOk)
        {
            ring.Facts = before;
        }

        return verdict;
    }

    private Verdict CheckPosition(uint index, uint position)
    {
        if (!agreement.IsPacked && position > ushort.MaxValue)
        {
            return Verdict.Refuse($"ring {index} at position {position}");
        }

        return agreement.IsPacked && !PackedPosition.TryFromWire(position, out _)
            ? Verdict.Refuse($"ring {index} at position 0x{position:x}: a packed ring with buffers under way cannot be taken over")
            : Verdict.Ok;
    }
}
