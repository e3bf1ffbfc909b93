// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Devices;

/// <summary>The states of a device, as in the table of <c>docs/reference/vhost-pci-spec.md</c>.</summary>
internal enum DeviceState
{
    /// <summary>Nothing is shown; it will be when the origin's rings run and the driver accepts its features.</summary>
    Down,

    /// <summary>The origin's memory and rings are shown.</summary>
    Up,

    /// <summary>Withdrawn: the driver has not acknowledged that epoch, so it may still use what it had.</summary>
    Awaiting,

    /// <summary>The guest has given the window no usable address.</summary>
    NoWindow,

    /// <summary>The origin is gone and may return.</summary>
    Away,

    /// <summary>The guest has been asked to let the device go, or has done so.</summary>
    Leaving,

    /// <summary>Static, and no origin has it.</summary>
    Waiting,

    /// <summary>Released.</summary>
    Gone,
}
