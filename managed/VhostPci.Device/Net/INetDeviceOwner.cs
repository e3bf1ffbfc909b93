// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Net;

/// <summary>Who must know when a device leaves its slot and when its window is gone.</summary>
internal interface INetDeviceOwner
{
    void OnDetached(NetDevice device);

    void OnReleased(NetDevice device);
}
