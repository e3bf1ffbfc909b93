// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Origins;

/// <summary>What a connection waits for.</summary>
internal enum Waiting
{
    /// <summary>The peer has to say something, or to let go of what it has sent.</summary>
    Peer,

    /// <summary>Descriptors may have been closed, so that the peer can be read again.</summary>
    Closes,

    /// <summary>The front-end may be told of the mirror's driver again.</summary>
    News,

    /// <summary>Its user may have a new device again.</summary>
    Device,
}
