// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A front-end of a run, and what is known about it.</summary>
internal sealed class Origin(IPeer peer, OriginModel model)
{
    internal IPeer Peer => peer;

    internal OriginModel Model => model;

    internal Message? Last { get; set; }

    internal bool Reads { get; set; } = true;

    /// <summary>Whole messages, and whether another has begun, when the server began to wait.</summary>
    internal (int Messages, bool IsInMessage) AwaitedPart { get; set; }

    /// <summary>Milliseconds since the server has begun to wait for the first message, or for the rest of one.</summary>
    internal long Silence { get; set; }
}
