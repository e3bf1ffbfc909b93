// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Devices;

/// <summary>What can change the state of a device.</summary>
internal enum DeviceEvent
{
    /// <summary>Memory and rings have been shown.</summary>
    Shown,

    /// <summary>They have been withdrawn.</summary>
    Withdrawn,

    /// <summary>A driver that was there has been told of the withdrawal.</summary>
    DriverTold,

    /// <summary>The driver has acknowledged the withdrawal, or was reset, or has gone.</summary>
    LetGo,

    /// <summary>The driver runs, or has failed, without an address for the window.</summary>
    WindowMissing,

    /// <summary>The driver was reset, or runs with a window.</summary>
    WindowPlaced,

    /// <summary>The origin has gone; the device is kept for it.</summary>
    OriginLeft,

    /// <summary>The origin has gone; the device is static.</summary>
    StaticOriginLeft,

    /// <summary>An origin has been given the device.</summary>
    OriginCame,

    /// <summary>The guest is asked to let the device go.</summary>
    UnplugRequested,

    /// <summary>The host has taken the device off its bus.</summary>
    Detached,

    /// <summary>No vCPU can reach the window any more.</summary>
    Released,
}
