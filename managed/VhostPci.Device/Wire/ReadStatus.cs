// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Wire;

/// <summary>What <see cref="MessageSource{TMessage}.Read"/> came to.</summary>
internal enum ReadStatus
{
    /// <summary>A whole message is there.</summary>
    Message,

    /// <summary>The rest has not come yet.</summary>
    Pending,

    /// <summary>The peer is gone.</summary>
    Closed,

    /// <summary>What came is no message that we take.</summary>
    Invalid,
}
