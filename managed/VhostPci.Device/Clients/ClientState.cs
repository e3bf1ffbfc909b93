// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Clients;

/// <summary>How far a client is with its server.</summary>
internal enum ClientState
{
    /// <summary>The chardev has no connection.</summary>
    Disconnected,

    /// <summary>GET_FEATURES is on its way.</summary>
    AskedFeatures,

    /// <summary>GET_PROTOCOL_FEATURES is on its way.</summary>
    AskedProtocolFeatures,

    /// <summary>GET_QUEUE_NUM is on its way.</summary>
    AskedQueues,

    /// <summary>The link is up.</summary>
    Connected,

    /// <summary>The server lacks something; the link stays down while the connection lasts.</summary>
    Unusable,

    /// <summary>Broken; the chardev has still to be told.</summary>
    Lost,
}
