// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Request numbers of the control protocol: those of vhost-user that the back-end takes, and the extension's.</summary>
/// <remarks><c>docs/reference/protocol.md</c>, "Requests the back-end takes". Any other number is refused.</remarks>
public enum RequestCode : uint
{
    /// <summary>No request; not on the wire.</summary>
    None = 0,

    /// <summary>Asks for the offered virtio features.</summary>
    GetFeatures = 1,

    /// <summary>Sets the virtio features that the origin's driver acknowledged.</summary>
    SetFeatures = 2,

    /// <summary>Claims the session.</summary>
    SetOwner = 3,

    /// <summary>Deprecated in vhost-user; treated as <see cref="ResetDevice"/>.</summary>
    ResetOwner = 4,

    /// <summary>Replaces the whole memory table; one descriptor per region.</summary>
    SetMemoryTable = 5,

    /// <summary>Sets the number of entries of a ring.</summary>
    SetVringNum = 8,

    /// <summary>Sets the addresses of a ring's three areas.</summary>
    SetVringAddress = 9,

    /// <summary>Sets the position of a ring that has not run yet.</summary>
    SetVringBase = 10,

    /// <summary>Stops a ring and asks where it stopped.</summary>
    GetVringBase = 11,

    /// <summary>Hands over the eventfd that the origin signals.</summary>
    SetVringKick = 12,

    /// <summary>Hands over the eventfd that interrupts the origin.</summary>
    SetVringCall = 13,

    /// <summary>Hands over an eventfd for errors; not used.</summary>
    SetVringError = 14,

    /// <summary>Asks for the offered protocol features.</summary>
    GetProtocolFeatures = 15,

    /// <summary>Sets the protocol features in use.</summary>
    SetProtocolFeatures = 16,

    /// <summary>Asks for the greatest number of ring pairs.</summary>
    GetQueueNum = 17,

    /// <summary>Enables or disables a ring.</summary>
    SetVringEnable = 18,

    /// <summary>Announces an address of the origin.</summary>
    SendRarp = 19,

    /// <summary>Tells the origin's MTU.</summary>
    NetSetMtu = 20,

    /// <summary>Stops all rings and forgets memory and addresses.</summary>
    ResetDevice = 34,

    /// <summary>Asks for the greatest number of memory regions.</summary>
    GetMaxMemorySlots = 36,

    /// <summary>Adds one memory region.</summary>
    AddMemoryRegion = 37,

    /// <summary>Removes one memory region.</summary>
    RemoveMemoryRegion = 38,

    /// <summary>Tells the virtio device status.</summary>
    SetStatus = 39,

    /// <summary>Asks for the virtio device status.</summary>
    GetStatus = 40,

    /// <summary>Extension: tells who the origin is, see <see cref="DeviceInfo"/>.</summary>
    SetDeviceInfo = 0x56500001,

    /// <summary>Extension: tells what the origin's driver has switched.</summary>
    SetDriverState = 0x56500004,
}
