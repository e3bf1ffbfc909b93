// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;

namespace VhostPci.Protocol;

/// <summary>What a check came to: accepted, or refused with a reason for the log.</summary>
/// <remarks>Peers' data never raises an exception; <c>default</c> is acceptance.</remarks>
public readonly record struct Verdict
{
    private Verdict(string reason) => Reason = reason;

    /// <summary>Nothing is wrong.</summary>
    public static Verdict Ok => default;

    /// <summary>Why it is refused, in a few words without a full stop; null when accepted.</summary>
    public string? Reason { get; }

    /// <summary>Whether it is accepted.</summary>
    [MemberNotNullWhen(false, nameof(Reason))]
    public bool IsOk => Reason is null;

    /// <summary>Refuses.</summary>
    /// <param name="reason">A few words for the log.</param>
    public static Verdict Refuse(string reason) => new(reason);

    /// <inheritdoc/>
    public override string ToString() => Reason ?? "ok";
}
