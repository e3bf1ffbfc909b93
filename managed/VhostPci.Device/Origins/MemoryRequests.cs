// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The requests about memory.</summary>
internal sealed class MemoryRequests(DeviceClaim claim, Agreement agreement, OriginMemory memory, RingTable rings, RingRunner runner)
{
    internal Verdict SetTable(ReadOnlySpan<MemoryRegion> regions, IMessageFiles files)
    {
        var next = new MemoryTable();
        foreach (MemoryRegion region in regions)
        {
            Verdict added = next.Add(region);
            if (!added.IsOk)
            {
                return added;
            }
        }

        Verdict verdict = claim.CheckDevice(next.End, out ulong windowSize);
        for (int i = 0; i < regions.Length && verdict.IsOk; i++)
        {
            verdict = MemoryRules.Check(regions[i], files.Peek(i).GetFacts(), windowSize, claim.AllowUnsealed);
        }

        verdict = verdict.IsOk ? runner.CheckStart(next, all: true) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // A window that shows the old table must go before its files do.
        runner.Halt();
        memory.Dispose();
        verdict = rings.RequireDevice(next.End);
        for (int i = 0; i < regions.Length && verdict.IsOk; i++)
        {
            memory.Add(regions[i], files.Take(0));
        }

        return verdict;
    }

    internal Verdict Add(MemoryRegion region, IMessageFiles files)
    {
        Verdict verdict = RequireSlots();
        verdict = verdict.IsOk ? MemoryTable.CheckRegion(region) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        IPeerFile file = files.Peek(0);
        ulong end = region.GuestAddress + region.Length;
        MemoryTable next = memory.Table.Copy();
        verdict = claim.CheckDevice(end, out ulong windowSize);
        verdict = verdict.IsOk ? MemoryRules.Check(region, file.GetFacts(), windowSize, claim.AllowUnsealed) : verdict;
        verdict = verdict.IsOk ? next.Add(region) : verdict;
        verdict = verdict.IsOk ? runner.CheckStart(next, all: false) : verdict;
        verdict = verdict.IsOk ? rings.RequireDevice(end) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // No ring lies in it yet, and what is shown stays where it is: the link need not go down for more.
        if (claim.Device is { } device && !device.TryShowMore(region, file, out string error))
        {
            return Verdict.Refuse(error);
        }

        memory.Add(region, files.Take(0));
        return Verdict.Ok;
    }

    internal Verdict Remove(MemoryRegion region)
    {
        Verdict verdict = RequireSlots();
        if (!verdict.IsOk)
        {
            return verdict;
        }

        int index = memory.Table.Find(region);
        if (index < 0)
        {
            return Verdict.Refuse($"no memory region at guest address 0x{region.GuestAddress:x} to remove");
        }

        MemoryTable next = memory.Table.Copy();
        next.Remove(region);
        verdict = runner.CheckStart(next, all: true);
        if (verdict.IsOk)
        {
            runner.Halt();
            memory.RemoveAt(index);
        }

        return verdict;
    }

    private Verdict RequireSlots() => agreement.HasProtocol(ProtocolFeatures.ConfigureMemorySlots)
        ? Verdict.Ok
        : Verdict.Refuse("memory slots without their protocol feature");
}
