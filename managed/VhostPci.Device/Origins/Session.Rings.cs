// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The requests about rings.</summary>
internal sealed partial class Session
{
    private Verdict SetVringState(RequestCode request, ReadOnlySpan<byte> payload)
    {
        _ = VringState.TryParse(payload, out VringState state);
        Verdict verdict = _rings.Check(state.Index);
        if (verdict.IsOk)
        {
            verdict = request switch
            {
                RequestCode.SetVringNum => RingLayout.CheckEntries(state.Value, IsPacked),
                RequestCode.SetVringBase => CheckPosition(state),
                _ => state.Value > 1 ? Verdict.Refuse($"ring {state.Index} enabled with {state.Value}") : Verdict.Ok,
            };
        }

        if (!verdict.IsOk)
        {
            return verdict;
        }

        Ring ring = _rings.Get(state.Index);
        return request switch
        {
            RequestCode.SetVringNum => SetSize(ring, state),
            RequestCode.SetVringBase => SetBase(ring, state),
            _ => Change(ring, ring.Facts with { IsEnabled = state.Value == 1 }, all: false),
        };
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

    private Verdict SetSize(Ring ring, VringState state)
    {
        return ring.IsInUse && ring.Size != state.Value
            ? Verdict.Refuse($"ring {state.Index} cannot change its size while it runs")
            : Change(ring, ring.Facts with { Size = state.Value }, all: false);
    }

    private Verdict CheckPosition(VringState state)
    {
        if (!IsPacked && state.Value > ushort.MaxValue)
        {
            return Verdict.Refuse($"ring {state.Index} at position {state.Value}");
        }

        return IsPacked && !PackedPosition.TryFromWire(state.Value, out _)
            ? Verdict.Refuse($"ring {state.Index} at position 0x{state.Value:x}: a packed ring with buffers under way cannot be taken over")
            : Verdict.Ok;
    }

    private Verdict SetBase(Ring ring, VringState state)
        => ring.IsInUse ? Verdict.Ok : Change(ring, ring.Facts with { Base = state.Value, HasBase = true, HasRun = false }, all: false);

    private Verdict SetVringAddress(ReadOnlySpan<byte> payload)
    {
        _ = VringAddress.TryParse(payload, out VringAddress address);
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

    private Verdict SetVringFile(MessageSource source, RingEndpoint endpoint)
    {
        _ = VringFile.TryParse(source.Payload, out VringFile file);
        Verdict verdict = _rings.Check(file.Index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        if (file.HasDescriptor && !source.Peek(0).IsEventDescriptor)
        {
            return Verdict.Refuse($"the descriptor for ring {file.Index} is not an eventfd");
        }

        Ring ring = _rings.Get(file.Index);
        if (endpoint == RingEndpoint.Error)
        {
            return Verdict.Ok;
        }

        IPeerFile? next = file.HasDescriptor ? source.Take(0) : null;
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

    private Verdict GetVringBase(ReadOnlySpan<byte> payload, Span<byte> reply, out int replySize)
    {
        replySize = 0;
        _ = VringState.TryParse(payload, out VringState state);
        Verdict verdict = _rings.Check(state.Index);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // First the window, then the index: nothing can be added to the ring after it has been read. Pairs that are complete
        // come back by themselves, when the mirror's driver has let go of this one.
        Ring ring = _rings.Get(state.Index);
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
        new VringState(state.Index, ring.Base).Write(reply);
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
