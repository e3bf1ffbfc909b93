// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Net;
using VhostPci.Device.Ports;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Clients;

/// <summary>Passes on what the device's driver and QEMU's vhost core do with the device; results are 0 or -errno.</summary>
internal sealed class DriverRequests(ClientSession session, ServerChannel channel, ClientTroubles troubles)
{
    private DriverState? _driver;

    /// <inheritdoc cref="VhostPciClient.SetFeatures"/>
    internal int SetFeatures(ulong features)
    {
        session.Acknowledged = features & session.OfferedFeatures;
        if (!session.IsConnected)
        {
            return -LinuxError.ENOTCONN;
        }

        ulong missing = session.Acknowledged & ~session.ServerFeatures;
        if (missing != 0)
        {
            troubles.Say(ClientLog.Unusable, $"the server lacks features that the driver uses: {NetFeatureNames.Format(missing)}");
            return -LinuxError.EINVAL;
        }

        bool sent = channel.Send(RequestCode.SetFeatures, new U64Payload(session.Acknowledged | VirtioFeatures.VhostUserProtocolFeatures));
        session.SentDriverState = new DriverState(session.Acknowledged & VirtioNetFeatures.GuestOffloads, session.SentDriverState?.Mac ?? session.Config.Info.Mac);
        return Result(sent);
    }

    /// <inheritdoc cref="VhostPciClient.SetDriverState"/>
    internal int SetDriverState(ulong offloads, MacAddress mac)
    {
        _driver = new DriverState(offloads & VirtioNetFeatures.GuestOffloads, mac.IsMulticast ? default : mac);
        return SendDriverState();
    }

    /// <summary>Announces an address, if the server can be told so.</summary>
    internal void Announce(MacAddress mac)
    {
        if (session.IsConnected && (session.ProtocolFeatures & ProtocolFeatures.Rarp) != 0)
        {
            // QEMU announces the address that the device was given, whatever its driver has made of it.
            MacAddress current = mac == session.Config.Info.Mac && _driver is { Mac.IsZero: false } driver ? driver.Mac : mac;
            channel.Send(RequestCode.SendRarp, new RarpPayload(current));
        }
    }

    /// <inheritdoc cref="VhostPciClient.SetVringFile"/>
    internal int SetFile(uint index, RingEndpoint endpoint, int descriptor)
    {
        RequestCode request = endpoint switch
        {
            RingEndpoint.Kick => RequestCode.SetVringKick,
            RingEndpoint.Call => RequestCode.SetVringCall,
            _ => RequestCode.SetVringError,
        };
        return Send(request, new VringFile(index, descriptor >= 0), descriptor >= 0 ? [descriptor] : []);
    }

    /// <summary>Sends a request about a ring.</summary>
    internal int Send<T>(RequestCode request, T payload, ReadOnlySpan<int> descriptors = default)
        where T : struct, IPayload<T>
        => session.IsConnected ? Result(channel.Send(request, payload, descriptors)) : -LinuxError.ENOTCONN;

    private int SendDriverState()
    {
        if (!session.IsConnected)
        {
            return -LinuxError.ENOTCONN;
        }

        if (_driver is not { } driver || session.SentDriverState is not { } lastSent || (session.ProtocolFeatures & ProtocolFeatures.DriverState) == 0)
        {
            return 0;
        }

        // A driver that has just chosen other features: SET_FEATURES with them is yet to come.
        DriverState state = driver with { Offloads = driver.Offloads & session.Acknowledged };
        if (state == lastSent)
        {
            return 0;
        }

        bool sent = channel.Send(RequestCode.SetDriverState, state);
        session.SentDriverState = sent ? state : lastSent;
        return Result(sent);
    }

    private static int Result(bool sent) => sent ? 0 : -LinuxError.EPIPE;
}
