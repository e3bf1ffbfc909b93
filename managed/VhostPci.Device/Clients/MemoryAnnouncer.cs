// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>Shows the guest's RAM to the server.</summary>
internal sealed class MemoryAnnouncer(ClientSession session, ServerChannel channel, ClientTroubles troubles)
{
    private const string NotShared =
        "guest RAM is not shared: add -object memory-backend-memfd,id=mem,size=<ram>,share=on -machine memory-backend=mem";

    /// <inheritdoc cref="VhostPciClient.SetMemory"/>
    internal int Announce(ReadOnlySpan<MemorySection> sections, ReadOnlySpan<MemoryBacking> backings)
    {
        session.Doubts = MemoryBacking.Doubts(backings);
        if (!session.IsConnected)
        {
            return -LinuxError.ENOTCONN;
        }

        MemorySection[] merged = sections.ToArray();
        Verdict verdict = MemorySection.Coalesce(merged, out int count);
        verdict = verdict.IsOk && count == 0 ? Verdict.Refuse(NotShared) : verdict;
        verdict = verdict.IsOk && count > MemoryPayload.MaxRegions
            ? Verdict.Refuse($"guest RAM is in {count} pieces, {MemoryPayload.MaxRegions} is the most: use one memory backend for all of it")
            : verdict;
        if (!verdict.IsOk)
        {
            troubles.Say(ClientLog.BadMemory, verdict.Reason);
            return -LinuxError.EINVAL;
        }

        return Send(merged.AsSpan(0, count)) ? 0 : -LinuxError.EPIPE;
    }

    private bool Send(ReadOnlySpan<MemorySection> sections)
    {
        Span<MemoryRegion> regions = stackalloc MemoryRegion[sections.Length];
        Span<int> files = stackalloc int[sections.Length];
        for (int i = 0; i < sections.Length; i++)
        {
            regions[i] = new MemoryRegion(sections[i].GuestAddress, sections[i].Length, sections[i].GuestAddress, sections[i].FileOffset);
            files[i] = sections[i].FileDescriptor;
        }

        Span<byte> payload = stackalloc byte[MemoryPayload.TableSize(sections.Length)];
        MemoryPayload.WriteTable(payload, regions);
        return channel.Send(RequestCode.SetMemoryTable, payload, files);
    }
}
