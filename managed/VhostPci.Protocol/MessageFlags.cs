// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>The flags word of a message header.</summary>
[Flags]
public enum MessageFlags : uint
{
    /// <summary>No flag, not even a version: never valid on the wire.</summary>
    None = 0,

    /// <summary>Bits 0-1: protocol version 1, the only one there is.</summary>
    Version1 = 1,

    /// <summary>Bits 0-1: where the version stands.</summary>
    VersionMask = 3,

    /// <summary>Bit 2: the message answers a request.</summary>
    Reply = 1 << 2,

    /// <summary>Bit 3: the sender wants an answer even if the request has none of its own (REPLY_ACK).</summary>
    NeedReply = 1 << 3,
}
