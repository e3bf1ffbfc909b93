// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Clients;

/// <summary>How far a client is with its server, and what they have agreed on.</summary>
internal sealed class ClientSession(ClientConfig config)
{
    internal ClientConfig Config => config;

    internal ClientState State { get; set; }

    internal bool IsConnected => State == ClientState.Connected;

    /// <summary>Virtio features that the server takes; all before it has said anything.</summary>
    internal ulong ServerFeatures { get; set; } = ulong.MaxValue;

    internal ulong ProtocolFeatures { get; set; }

    /// <summary>What the device's driver has acknowledged.</summary>
    internal ulong Acknowledged { get; set; }

    /// <summary>Why the server may not take our memory, for the log; empty when there is no reason.</summary>
    internal string Doubts { get; set; } = string.Empty;

    /// <summary>What the server has last: all that was acknowledged, after SET_FEATURES; null before.</summary>
    internal DriverState? SentDriverState { get; set; }

    internal ulong OfferedFeatures => VirtioNetFeatures.Offered & ~VirtioFeatures.VhostUserProtocolFeatures & ~VirtioFeatures.InOrder
        & ~(config.Info.QueuePairs > 1 ? 0 : VirtioNetFeatures.MultiQueue);

    internal ulong AllowedFeatures => OfferedFeatures & ServerFeatures;

    internal bool IsPacked => (Acknowledged & VirtioFeatures.RingPacked) != 0;

    /// <summary>There is a new server, which knows what the device information says.</summary>
    internal void Begin()
    {
        State = ClientState.AskedFeatures;
        Doubts = string.Empty;
        SentDriverState = null;
    }
}
