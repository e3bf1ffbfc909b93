// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>What the file behind a memory region must be (docs/reference/protocol.md); pure.</summary>
internal static class MemoryRules
{
    private const string Remedy = "use -object memory-backend-memfd,share=on (or allow-unsealed=on on the server: the link then ends when it shrinks)";

    internal static Verdict Check(MemoryRegion region, in PeerFileFacts facts, ulong windowSize, bool allowUnsealed)
    {
        if (!facts.IsMemoryFile)
        {
            return Verdict.Refuse($"{Name(region)} is not a file on tmpfs or hugetlbfs: use -object memory-backend-memfd,share=on");
        }

        if (!facts.IsReadWrite)
        {
            return Verdict.Refuse($"{Name(region)} is not open for reading and writing: leave readonly=on away from its memory backend");
        }

        if (!facts.IsShrinkSealed && !allowUnsealed)
        {
            return Verdict.Refuse($"{Name(region)} is not sealed against shrinking, so it could go away while this VM uses it: {Remedy}");
        }

        Verdict verdict = MemoryTable.CheckBacking(region, facts.Size, facts.PageSize, windowSize);
        return verdict.IsOk || region.GuestAddress + region.Length <= windowSize
            ? verdict
            : Verdict.Refuse($"{verdict.Reason}: raise slot-size= on the server");
    }

    /// <summary>There may be several, and only one of them wrong.</summary>
    private static string Name(MemoryRegion region) => $"its memory at 0x{region.GuestAddress:x} ({Bytes.Format(region.Length)})";
}
