// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Starts and stops an origin's rings: the device's link is up while the first group of them can run.</summary>
internal sealed class RingRunner(DeviceClaim claim, Agreement agreement, OriginMemory memory, RingTable rings)
{
    /// <summary>Whether the device shows the origin, or will as soon as the mirror's driver lets it.</summary>
    internal bool IsStarted { get; private set; }

    /// <summary>Makes the device's link what the rings allow by now: up while the first group runs, with all groups that run.</summary>
    internal Verdict Update()
    {
        if (claim.Device is not { } device)
        {
            return Verdict.Ok;
        }

        bool run = IsRunnable(0, memory.Table);
        if (IsStarted && (!run || HasStopped()))
        {
            // The window is one: a group cannot be taken out of it alone.
            Halt();
        }

        return run ? Run(device) : Verdict.Ok;
    }

    /// <summary>Withdraws the window; the rings can start again when they are complete.</summary>
    internal void Halt()
    {
        if (IsStarted)
        {
            IsStarted = false;
            rings.Release();
            claim.Device?.Stop();
        }
    }

    /// <summary>Stops everything and forgets what a reset of the origin's device makes void.</summary>
    /// <remarks>
    /// The memory table stays: a front-end with memory slots sends what has changed since the last time, and a reset changes none of
    /// it. QEMU resets the status before it asks for the positions.
    /// </remarks>
    internal Verdict Reset(bool keepPositions)
    {
        Halt();
        rings.Reset(keepPositions);
        return Verdict.Ok;
    }

    /// <summary>Refuses an origin whose features the mirror's driver does not accept and that cannot be told so.</summary>
    internal Verdict CheckFeatures(IMirrorDevice device)
    {
        ulong excess = agreement.Features & ~device.Accepted;
        return agreement.IsExtended || excess == 0
            ? Verdict.Ok
            : Verdict.Refuse($"the mirror's driver does not accept {agreement.Class.Format(excess)}, and this front-end cannot "
                + "negotiate again while it is connected: restart the origin, which will be offered less");
    }

    /// <summary>Whether all groups that would now start can be shown: what would make a start impossible is refused before it changes anything.</summary>
    /// <param name="table">The table that there is, or would be.</param>
    /// <param name="all">Whether those that run would be started again as well.</param>
    internal Verdict CheckStart(MemoryTable table, bool all)
    {
        if (!IsRunnable(0, table))
        {
            return Verdict.Ok;
        }

        for (int index = 0; index < rings.Count; index++)
        {
            Ring ring = rings[index];
            if ((ring.IsInUse && !all) || !IsRunnable(index / rings.PerGroup, table))
            {
                continue;
            }

            Verdict verdict = Place(ring.Facts, table, out _);
            if (!verdict.IsOk)
            {
                return verdict;
            }
        }

        return claim.Device is { } device && (all || !IsStarted) ? CheckFeatures(device) : Verdict.Ok;
    }

    /// <summary>Where a ring is in the guest.</summary>
    internal Verdict Place(RingFacts ring, MemoryTable table, out VringAddress placed)
    {
        placed = default;
        if (ring.Address is not { } address)
        {
            return Verdict.Ok;
        }

        // The features may have come after the size, or changed.
        Verdict entries = RingLayout.CheckEntries(ring.Size, agreement.IsPacked);
        if (!entries.IsOk)
        {
            return entries;
        }

        int slot = ring.Position.Slot;
        return agreement.IsPacked && ring.HasBase && slot >= ring.Size
            ? Verdict.Refuse($"ring {address.Index} at slot {slot} of {ring.Size}")
            : table.TranslateRing(address, ring.Layout(agreement.Features), out placed);
    }

    private Verdict Run(IMirrorDevice device)
    {
        bool more = false;
        for (int group = 0; group < rings.Groups; group++)
        {
            if (rings.GetGroup(group)[0].IsInUse || !IsRunnable(group, memory.Table))
            {
                continue;
            }

            Verdict placed = UseGroup(rings.GetGroup(group));
            if (!placed.IsOk)
            {
                return placed;
            }

            more = true;
        }

        if (!IsStarted)
        {
            return Start(device);
        }

        if (more)
        {
            device.Extend();
        }

        return Verdict.Ok;
    }

    private Verdict UseGroup(Ring[] group)
    {
        var placements = new VringAddress[group.Length];
        for (int i = 0; i < group.Length; i++)
        {
            Verdict verdict = Place(group[i].Facts, memory.Table, out placements[i]);
            if (!verdict.IsOk)
            {
                return verdict;
            }
        }

        for (int i = 0; i < group.Length; i++)
        {
            group[i].Placement = placements[i];
            group[i].IsInUse = true;
        }

        return Verdict.Ok;
    }

    private Verdict Start(IMirrorDevice device)
    {
        Verdict usable = CheckFeatures(device);
        if (usable.IsOk)
        {
            IsStarted = true;
            device.Start();
        }

        return usable;
    }

    private bool HasStopped()
        => Enumerable.Range(0, rings.Groups).Any(group => rings.GetGroup(group)[0].IsInUse && !IsRunnable(group, memory.Table));

    private bool IsRunnable(int group, MemoryTable table) => table.Count != 0 && rings.GetGroup(group).All(IsRunnable);

    private bool IsRunnable(Ring ring)
        => agreement.Acknowledged is { } features
        && ring.IsComplete
        && (ring.IsEnabled || (features & VirtioFeatures.VhostUserProtocolFeatures) == 0);
}
