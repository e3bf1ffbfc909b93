// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Origins;

/// <summary>The states of a connection, as in the table of <c>docs/reference/vhost-pci-spec.md</c>.</summary>
internal enum ConnectionState
{
    /// <summary>It has said neither who it is nor what memory it has.</summary>
    Negotiating,

    /// <summary>There is no slot or window for its device yet.</summary>
    WaitingForSlot,

    /// <summary>It has a device; its rings do not all run.</summary>
    Plugged,

    /// <summary>Its rings run, with features that the guest driver does not accept.</summary>
    WaitingForFeatures,

    /// <summary>Its rings run, and the guest driver has not acknowledged the last withdrawal.</summary>
    WaitingForDriver,

    /// <summary>Its rings are shown.</summary>
    Running,

    /// <summary>The guest has given its device's window no usable address.</summary>
    NoWindow,
}
