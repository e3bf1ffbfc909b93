// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Connections;

/// <summary>The requests about memory.</summary>
internal sealed partial class Session
{
    private Verdict SetMemoryTable(MessageSource source)
    {
        Span<MemoryRegion> regions = stackalloc MemoryRegion[MemoryPayload.MaxRegions];
        _ = MemoryPayload.TryParseTable(source.Payload, regions, out int count);

        // A window that shows the old table must go before its files do.
        Halt();
        Memory.Dispose();
        ulong end = 0;
        foreach (MemoryRegion region in regions[..count])
        {
            Verdict verdict = MemoryTable.CheckRegion(region);
            if (!verdict.IsOk)
            {
                return verdict;
            }

            end = Math.Max(end, region.GuestAddress + region.Length);
        }

        Verdict required = RequireDevice(end, out ulong windowSize);
        if (!required.IsOk)
        {
            return required;
        }

        foreach (MemoryRegion region in regions[..count])
        {
            Verdict verdict = Memory.Add(region, source.Peek(0), windowSize, owner.AllowUnsealed);
            if (!verdict.IsOk)
            {
                return verdict;
            }

            _ = source.Take(0);
        }

        return Verdict.Ok;
    }

    private Verdict AddMemoryRegion(MessageSource source)
    {
        Verdict verdict = RequireSlots();
        if (!verdict.IsOk)
        {
            return verdict;
        }

        _ = MemoryPayload.TryParseSingle(source.Payload, out MemoryRegion region);
        verdict = MemoryTable.CheckRegion(region);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        verdict = RequireDevice(region.GuestAddress + region.Length, out ulong windowSize);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        verdict = Memory.Add(region, source.Peek(0), windowSize, owner.AllowUnsealed);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // No ring lies in it yet, and what is shown stays where it is: the link need not go down for more.
        IPeerFile file = source.Take(0);
        return owner.Device is not { } device || device.TryShowMore(region, file, out string error)
            ? Verdict.Ok
            : Verdict.Refuse(error);
    }

    private Verdict RemoveMemoryRegion(ReadOnlySpan<byte> payload)
    {
        Verdict verdict = RequireSlots();
        if (!verdict.IsOk)
        {
            return verdict;
        }

        _ = MemoryPayload.TryParseSingle(payload, out MemoryRegion region);
        int index = Memory.Find(region);
        if (index < 0)
        {
            return Verdict.Refuse($"no memory region at guest address 0x{region.GuestAddress:x} to remove");
        }

        Halt();
        Memory.RemoveAt(index);
        return Verdict.Ok;
    }

    private Verdict RequireSlots()
        => (ProtocolFeatures & Protocol.ProtocolFeatures.ConfigureMemorySlots) != 0
            ? Verdict.Ok
            : Verdict.Refuse("memory slots without their protocol feature");
}
