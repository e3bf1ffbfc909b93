// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>One request of a front-end: sound in form, its content not yet judged.</summary>
/// <remarks>Only the rows of a <see cref="RequestTable"/> make requests from bytes; files that come along stay with the message.</remarks>
public abstract record Request;

/// <summary>Asks for the offered virtio features.</summary>
public sealed record GetFeatures : Request;

/// <summary>Sets the virtio features that the origin's driver acknowledged.</summary>
/// <param name="Features">The bits.</param>
public sealed record SetFeatures(ulong Features) : Request;

/// <summary>Asks for the offered protocol features.</summary>
public sealed record GetProtocolFeatures : Request;

/// <summary>Sets the protocol features in use.</summary>
/// <param name="Features">The bits.</param>
public sealed record SetProtocolFeatures(ulong Features) : Request;

/// <summary>Claims the session.</summary>
public sealed record SetOwner : Request;

/// <summary>Stops all rings: RESET_OWNER and RESET_DEVICE.</summary>
public sealed record ResetRings : Request;

/// <summary>Asks for the greatest number of queue pairs.</summary>
public sealed record GetQueueNum : Request;

/// <summary>Asks for the greatest number of memory regions.</summary>
public sealed record GetMaxMemorySlots : Request;

/// <summary>Asks for the virtio device status.</summary>
public sealed record GetStatus : Request;

/// <summary>Tells the virtio device status.</summary>
/// <param name="Status">Unchecked.</param>
public sealed record SetStatus(ulong Status) : Request;

/// <summary>Replaces the whole memory table; a file for each region comes along.</summary>
/// <param name="Regions">1 to <see cref="MemoryPayload.MaxRegions"/>, unchecked.</param>
public sealed record SetMemoryTable(ReadOnlyMemory<MemoryRegion> Regions) : Request;

/// <summary>Adds one memory region, whose file comes along.</summary>
/// <param name="Region">Unchecked.</param>
public sealed record AddMemoryRegion(MemoryRegion Region) : Request;

/// <summary>Removes one memory region.</summary>
/// <param name="Region">Unchecked.</param>
public sealed record RemoveMemoryRegion(MemoryRegion Region) : Request;

/// <summary>Sets the number of entries of a ring.</summary>
/// <param name="Ring">Number, unchecked.</param>
/// <param name="Entries">Unchecked.</param>
public sealed record SetVringNum(uint Ring, uint Entries) : Request;

/// <summary>Sets the position of a ring that has not run yet.</summary>
/// <param name="Ring">Number, unchecked.</param>
/// <param name="Position">Unchecked.</param>
public sealed record SetVringBase(uint Ring, uint Position) : Request;

/// <summary>Stops a ring and asks where it stopped.</summary>
/// <param name="Ring">Number, unchecked.</param>
public sealed record GetVringBase(uint Ring) : Request;

/// <summary>Enables or disables a ring.</summary>
/// <param name="Ring">Number, unchecked.</param>
/// <param name="Value">0 or 1, unchecked.</param>
public sealed record SetVringEnable(uint Ring, uint Value) : Request;

/// <summary>Sets the addresses of a ring's three areas.</summary>
/// <param name="Address">Unchecked.</param>
public sealed record SetVringAddress(VringAddress Address) : Request;

/// <summary>Hands over the eventfd that the origin signals.</summary>
/// <param name="File">Which ring's, and whether there is one.</param>
public sealed record SetVringKick(VringFile File) : Request;

/// <summary>Hands over the eventfd that interrupts the origin.</summary>
/// <param name="File">Which ring's, and whether there is one.</param>
public sealed record SetVringCall(VringFile File) : Request;

/// <summary>Hands over an eventfd for errors.</summary>
/// <param name="File">Which ring's, and whether there is one.</param>
public sealed record SetVringError(VringFile File) : Request;

/// <summary>Extension: tells who the origin is.</summary>
/// <param name="Info">Unchecked.</param>
public sealed record SetDeviceInfo(DeviceInfo Info) : Request;
