// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The requests about memory.</summary>
internal sealed partial class Session
{
    private Verdict SetMemoryTable(ReadOnlySpan<MemoryRegion> regions, IMessageFiles files)
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

        Verdict verdict = owner.CheckDevice(next.End, out ulong windowSize);
        for (int i = 0; i < regions.Length && verdict.IsOk; i++)
        {
            verdict = MemoryRules.Check(regions[i], files.Peek(i).GetFacts(), windowSize, owner.AllowUnsealed);
        }

        if (verdict.IsOk)
        {
            verdict = CheckStart(next, all: true);
        }

        if (!verdict.IsOk)
        {
            return verdict;
        }

        // A window that shows the old table must go before its files do.
        Halt();
        Memory.Dispose();
        verdict = RequireDevice(next.End, out _);
        for (int i = 0; i < regions.Length && verdict.IsOk; i++)
        {
            Memory.Add(regions[i], files.Take(0));
        }

        return verdict;
    }

    private Verdict AddMemoryRegion(MemoryRegion region, IMessageFiles files)
    {
        Verdict verdict = RequireSlots();
        if (!verdict.IsOk)
        {
            return verdict;
        }

        verdict = MemoryTable.CheckRegion(region);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        IPeerFile file = files.Peek(0);
        ulong end = region.GuestAddress + region.Length;
        MemoryTable next = Memory.Table.Copy();
        verdict = owner.CheckDevice(end, out ulong windowSize);
        verdict = verdict.IsOk ? MemoryRules.Check(region, file.GetFacts(), windowSize, owner.AllowUnsealed) : verdict;
        verdict = verdict.IsOk ? next.Add(region) : verdict;
        verdict = verdict.IsOk ? CheckStart(next, all: false) : verdict;
        verdict = verdict.IsOk ? RequireDevice(end, out _) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // No ring lies in it yet, and what is shown stays where it is: the link need not go down for more.
        if (owner.Device is { } device && !device.TryShowMore(region, file, out string error))
        {
            return Verdict.Refuse(error);
        }

        Memory.Add(region, files.Take(0));
        return Verdict.Ok;
    }

    private Verdict RemoveMemoryRegion(MemoryRegion region)
    {
        Verdict verdict = RequireSlots();
        if (!verdict.IsOk)
        {
            return verdict;
        }

        int index = Memory.Find(region);
        if (index < 0)
        {
            return Verdict.Refuse($"no memory region at guest address 0x{region.GuestAddress:x} to remove");
        }

        MemoryTable next = Memory.Table.Copy();
        next.Remove(region);
        verdict = CheckStart(next, all: true);
        if (verdict.IsOk)
        {
            Halt();
            Memory.RemoveAt(index);
        }

        return verdict;
    }

    private Verdict RequireSlots()
        => (ProtocolFeatures & Protocol.ProtocolFeatures.ConfigureMemorySlots) != 0
            ? Verdict.Ok
            : Verdict.Refuse("memory slots without their protocol feature");
}
