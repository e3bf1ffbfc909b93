// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Net;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Clients;

/// <summary>The link of the origin's device: up when there is a server, the mirror's end is up, and the driver uses only what the server takes.</summary>
internal sealed class OriginLink(IHost host, ulong number, IClientHost device, ClientSession session, ClientTroubles troubles)
{
    /// <summary>Whether the device's link is up, which is when its rings run.</summary>
    internal bool IsUp { get; private set; }

    /// <summary>The driver uses features that it must not use any more.</summary>
    internal bool NeedsReset { get; private set; }

    /// <summary>The mirror's end of the link is up.</summary>
    internal bool IsPeerUp { get; set; } = true;

    /// <summary>Makes the device's link what it has to be.</summary>
    internal void Update()
    {
        bool up = session.IsConnected && IsPeerUp && !NeedsReset;
        if (up == IsUp)
        {
            return;
        }

        IsUp = up;
        host.Trace(TraceEvent.ClientLink, number, up ? 1UL : 0, 0);
        device.SetLink(up);
    }

    /// <summary>The other end takes no more than these features: a driver that uses others has to start again with less.</summary>
    internal void ApplyServerFeatures(ulong features)
    {
        session.ServerFeatures = features;
        device.Offer(session.AllowedFeatures);
        ulong excess = device.DriverFeatures & session.OfferedFeatures & ~features;
        bool ask = excess != 0 && !NeedsReset;
        NeedsReset = excess != 0;
        Update();
        if (ask)
        {
            troubles.Say(ClientLog.NeedsReset, NetFeatureNames.Format(excess));
            device.AskForReset();
        }
    }

    /// <summary>The device's driver has been reset, or has chosen features.</summary>
    internal void OnDriverNegotiated()
    {
        if (NeedsReset && (device.DriverFeatures & session.OfferedFeatures & ~session.ServerFeatures) == 0)
        {
            NeedsReset = false;
            Update();
        }
    }
}
