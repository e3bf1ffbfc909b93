// SPDX-License-Identifier: GPL-2.0-or-later

namespace VhostPci.Device.Devices;

/// <summary>When the origin's memory loses pages while the window shows it: the VM survives the access, the connection does not (ADR 0023).</summary>
internal sealed class WindowGuard(MirrorDevice device, DeviceLink link)
{
    private const string LostPages =
        "its memory has lost pages that this VM was using: the file was cut short, a hole was made in it, or its file system is full";

    /// <summary>An access has found a page gone, and the host has made the window anonymous.</summary>
    internal void OnFault()
    {
        if (device.Host is { } host && host.TakeWindowFault() && link.IsUp)
        {
            device.Origin?.OnDeviceFailed(LostPages);
        }
    }

    /// <summary>Ends the connection when a page is gone that an access would need.</summary>
    /// <param name="thoroughly">Also finds out by trying; otherwise only what sizes tell.</param>
    /// <returns>Whether it is ended.</returns>
    internal bool Check(bool thoroughly)
    {
        if (!link.IsUp || device.Origin is not { } origin || link.Memory.HasItsPages(origin.Session.Memory, thoroughly))
        {
            return false;
        }

        origin.OnDeviceFailed(LostPages);
        return true;
    }
}
