// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Net;

/// <summary>Tells the origin's MTU.</summary>
/// <param name="Mtu">Bytes, unchecked.</param>
public sealed record SetMtu(ulong Mtu) : Request;

/// <summary>Announces an address of the origin.</summary>
/// <param name="Rarp">Unchecked.</param>
public sealed record SendRarp(RarpPayload Rarp) : Request;

/// <summary>Extension: tells what the origin's driver has switched.</summary>
/// <param name="State">Unchecked.</param>
public sealed record SetDriverState(DriverState State) : Request;
