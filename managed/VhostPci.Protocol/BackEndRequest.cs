// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Requests that a back-end makes of a front-end with the extension: a u64, without descriptors or a reply.</summary>
/// <remarks><c>docs/reference/protocol.md</c>, "Requests the front-end takes".</remarks>
public enum BackEndRequest : uint
{
    /// <summary>Whether the mirror's end of the link is up.</summary>
    SetLink = 0x56500002,

    /// <summary>Virtio features that the mirror's driver accepts.</summary>
    AcceptFeatures = 0x56500003,
}
