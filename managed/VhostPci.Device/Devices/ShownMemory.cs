// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>A device's window, and the origin's memory that is mapped into it.</summary>
internal sealed class ShownMemory(IHost host, ulong device, ulong size)
{
    private IWindow? _window;

    /// <summary>Bytes of the window.</summary>
    internal ulong Size => size;

    internal ulong MappedBytes => _window?.MappedBytes ?? 0;

    internal void Release()
    {
        _window?.Dispose();
        _window = null;
    }

    internal bool TryReserve(IWindowFactory windows, out nint address, out string error)
    {
        bool reserved = windows.TryReserve(size, out _window, out error);
        address = _window?.Address ?? 0;
        return reserved && _window is not null;
    }

    /// <summary>Maps all of an origin's memory into the empty window.</summary>
    internal bool TryMap(OriginMemory memory, out string error)
    {
        if (MappedBytes != 0)
        {
            // It could not be cleared the last time.
            Clear();
        }

        for (int i = 0; i < memory.Count; i++)
        {
            if (!TryMap(memory.GetRegion(i), memory.GetFile(i), out error))
            {
                return false;
            }
        }

        error = string.Empty;
        return true;
    }

    internal bool TryMap(MemoryRegion region, IPeerFile file, out string error)
    {
        error = string.Empty;
        if (_window?.TryMap(region.GuestAddress, file, region.FileOffset, region.Length, out error) != true)
        {
            return false;
        }

        host.Trace(TraceEvent.Map, device, region.GuestAddress, region.Length);
        return true;
    }

    /// <summary>Makes all of it anonymous.</summary>
    internal void Clear() => _window?.Clear();

    /// <summary>Makes a packed ring tell where it stands, before a driver sees it.</summary>
    /// <remarks>Corrects the slots that say something else than what the front-end has told. The origin's driver may be filling the ring meanwhile.</remarks>
    internal void CleanRing(Ring ring, ulong features)
    {
        // A ring that has run since was left by a mirror's driver, so it tells; and further than what was told.
        if (_window is not { } window || (features & VirtioFeatures.RingPacked) == 0 || ring.HasRun || !ring.HasBase)
        {
            return;
        }

        for (int slot = 0; slot < ring.Size; slot++)
        {
            ulong at = ring.Placement.Desc + ((ulong)slot * PackedRing.DescriptorSize) + PackedRing.FlagsOffset;
            ushort flags = window.ReadUInt16(at);
            ushort clean = PackedRing.Clean(flags, slot, ring.Position);
            if (clean != flags)
            {
                // If it has changed, the origin's driver has just made it available, and then it is right.
                _ = window.TryReplaceUInt16(at, flags, clean);
            }
        }
    }

    /// <summary>Whether all pages are there that an access would need.</summary>
    /// <param name="memory">What is mapped.</param>
    /// <param name="thoroughly">Also finds out by trying; otherwise only what sizes tell.</param>
    internal bool HasItsPages(OriginMemory memory, bool thoroughly)
    {
        for (int i = 0; i < memory.Count; i++)
        {
            MemoryRegion region = memory.GetRegion(i);
            IPeerFile file = memory.GetFile(i);
            PeerFileFacts facts = file.GetFacts();
            if (facts.Size < region.FileOffset + region.Length
                || (thoroughly && _window is { } window && !HasItsPages(region, file, facts.PageSize, window)))
            {
                return false;
            }
        }

        return true;
    }

    private static bool HasItsPages(MemoryRegion region, IPeerFile file, ulong pageSize, IWindow window)
    {
        if (pageSize != (ulong)Environment.SystemPageSize)
        {
            // Huge pages were reserved for the mapping, so what this allocates was taken before.
            return window.HasPages(region.GuestAddress, region.Length);
        }

        // One page tells for all: either the file system has room or not.
        return !file.TryFindHole(region.FileOffset, region.Length, out ulong hole)
            || window.HasPages(region.GuestAddress + (hole - region.FileOffset), pageSize);
    }
}
