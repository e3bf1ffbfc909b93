// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;

namespace VhostPci.Device.Devices;

/// <summary>What a device asks of its server.</summary>
internal interface IDeviceOwner
{
    /// <summary>A static device has lost its origin and can have another.</summary>
    void OnVacated(MirrorDevice device);

    /// <summary>The guest driver has said which features of an origin it accepts.</summary>
    void OnAccepted(DeviceClass deviceClass, ulong features);

    /// <summary>A device has left its slot.</summary>
    void OnDetached(MirrorDevice device);

    /// <summary>A device's window is gone.</summary>
    void OnReleased(MirrorDevice device);

    /// <summary>What address space the guest has on the device's bus, and what the user can do for more.</summary>
    string DescribeRoom(MirrorDevice device);
}
