// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>Trace points; the values of <c>enum vhost_pci_trace_event</c>, where the arguments are described.</summary>
public enum TraceEvent : uint
{
    /// <summary>A client was accepted.</summary>
    Accept = 0,

    /// <summary>A client was turned away.</summary>
    Refuse = 1,

    /// <summary>The server received a message.</summary>
    Message = 2,

    /// <summary>A connection ended.</summary>
    Close = 3,

    /// <summary>A device was plugged.</summary>
    Plug = 4,

    /// <summary>The guest was asked to let a device go.</summary>
    Unplug = 5,

    /// <summary>Peer memory was laid into a window.</summary>
    Map = 6,

    /// <summary>A window became anonymous again.</summary>
    Clear = 7,

    /// <summary>An eventfd was bound.</summary>
    Bind = 8,

    /// <summary>The configuration moved to another epoch.</summary>
    Epoch = 9,

    /// <summary>The driver adopted an epoch.</summary>
    Acknowledge = 10,

    /// <summary>The driver wrote the virtio device status.</summary>
    Status = 11,

    /// <summary>A client's link changed.</summary>
    ClientLink = 12,

    /// <summary>A client sent a message.</summary>
    ClientMessage = 13,
}
