// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>Who must know when a device leaves its slot and when its window is gone.</summary>
internal interface IDeviceOwner
{
    /// <summary>A static device has lost its origin and can have another.</summary>
    void OnVacated(MirrorDevice device);

    /// <summary>The mirror's driver has said which features of an origin it accepts.</summary>
    void OnAccepted(ulong features);

    /// <summary>The address of a device's interface, made from the origin's or what stands for it, and that nobody else has.</summary>
    MacAddress ChooseAddress(MirrorDevice device, MacAddress origin);

    void OnDetached(MirrorDevice device);

    void OnReleased(MirrorDevice device);

    /// <summary>What address space the guest has on the device's bus, and what the user can do for more.</summary>
    string DescribeRoom(MirrorDevice device);
}
