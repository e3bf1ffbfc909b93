// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>When the origin's memory loses pages while the window shows it: the host survives the access, the connection does not.</summary>
public sealed partial class MirrorDevice
{
    private const string LostPages =
        "its memory has lost pages that this VM was using: the file was cut short, a hole was made in it, or its file system is full";

    /// <summary>An access has found a page gone, and the host has made the window anonymous.</summary>
    public void OnWindowFault()
    {
        if (_device is { } device && device.TakeWindowFault() && IsUp)
        {
            _origin?.OnDeviceFailed(LostPages);
        }
    }

    /// <summary>Ends the connection when a page is gone that an access would need.</summary>
    /// <param name="thoroughly">Also finds out by trying; otherwise only what sizes tell.</param>
    /// <returns>Whether it is ended.</returns>
    internal bool CheckWindow(bool thoroughly)
    {
        if (!IsUp || _origin is not { } origin || _window is not { } window || HasItsPages(origin.Memory, window, thoroughly))
        {
            return false;
        }

        origin.OnDeviceFailed(LostPages);
        return true;
    }

    private static bool HasItsPages(OriginMemory memory, IWindow window, bool thoroughly)
    {
        for (int i = 0; i < memory.Count; i++)
        {
            MemoryRegion region = memory.GetRegion(i);
            IPeerFile file = memory.GetFile(i);
            PeerFileFacts facts = file.GetFacts();
            if (facts.Size < region.FileOffset + region.Length)
            {
                return false;
            }

            if (thoroughly && !HasItsPages(region, file, facts.PageSize, window))
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
