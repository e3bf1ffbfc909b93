// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Devices;

/// <summary>How far the host is with a device.</summary>
internal enum DeviceStage
{
    /// <summary>Made here; the host does not know it yet.</summary>
    Planned,

    /// <summary>Being realized: the window is reserved.</summary>
    Attached,

    /// <summary>In the guest's sight.</summary>
    Ready,

    /// <summary>Out of its slot; a vCPU may still be about to look at the window.</summary>
    Detached,

    /// <summary>Gone.</summary>
    Released,
}
