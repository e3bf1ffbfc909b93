// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>What a back-end sends: an answer, or a request of the extension's.</summary>
public abstract record BackEndMessage;

/// <summary>Extension: the mirror's end of the link goes up or down.</summary>
/// <param name="IsUp">Whether it is up.</param>
public sealed record SetLink(bool IsUp) : BackEndMessage;

/// <summary>Extension: the virtio features that the mirror's driver accepts.</summary>
/// <param name="Features">The bits.</param>
public sealed record AcceptFeatures(ulong Features) : BackEndMessage;

/// <summary>The answer to a question: one number.</summary>
/// <param name="Request">What had been asked.</param>
/// <param name="Value">The answer, unchecked.</param>
public sealed record NumberReply(RequestCode Request, ulong Value) : BackEndMessage;

/// <summary>The answer to GET_VRING_BASE.</summary>
/// <param name="Ring">Where the ring stands, unchecked.</param>
public sealed record RingReply(VringState Ring) : BackEndMessage;

/// <summary>An answer that no front-end of ours asks for, or one of a wrong size.</summary>
/// <param name="Request">What it says it answers.</param>
public sealed record UnknownReply(RequestCode Request) : BackEndMessage;
