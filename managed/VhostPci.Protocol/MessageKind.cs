// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Which messages a <see cref="MessageReader"/> expects.</summary>
public enum MessageKind
{
    /// <summary>Requests of a front-end: the server's side.</summary>
    Requests,

    /// <summary>Answers of a back-end, and the extension's requests of a back-end: the client's side.</summary>
    Replies,
}
