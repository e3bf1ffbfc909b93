// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Net;

/// <summary>A request that only a network device's front-end makes.</summary>
public abstract record NetRequest : Request;

/// <summary>Tells the origin's MTU.</summary>
/// <param name="Mtu">Bytes, unchecked.</param>
public sealed record SetMtu(ulong Mtu) : NetRequest;

/// <summary>Announces an address of the origin.</summary>
/// <param name="Rarp">Unchecked.</param>
public sealed record SendRarp(RarpPayload Rarp) : NetRequest;

/// <summary>Extension: tells what the origin's driver has switched.</summary>
/// <param name="State">Unchecked.</param>
public sealed record SetDriverState(DriverState State) : NetRequest;
