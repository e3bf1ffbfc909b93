// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Devices;

/// <summary>What the mirror's driver says about itself, and what the origin says to it.</summary>
/// <remarks>
/// A reset clears the driver's fields, but what they said stands until DRIVER_OK: a driver that is loaded again, or a guest that
/// reboots, would otherwise make the origin's link, or its features, change twice.
/// </remarks>
public sealed partial class MirrorDevice
{
    private ulong _accept;
    private bool _driverDown;
    private bool _linkOff;

    /// <summary>Features of an origin that the driver accepts; all before it has said anything.</summary>
    internal ulong Accepted => _accept == 0 ? ulong.MaxValue : _accept | VirtioFeatures.VhostUserProtocolFeatures;

    /// <summary>Whether somebody takes packets at this end.</summary>
    internal bool IsDriverLinkUp => !_driverDown && !_linkOff;

    internal bool IsWaitingForFeatures => _wanted && _origin is { } origin && !Accepts(origin.Features);

    internal bool Accepts(ulong features) => (features & ~Accepted) == 0;

    /// <summary>The mirror's user switches the link off and on.</summary>
    public void SetLink(bool up)
    {
        if (_linkOff != up)
        {
            return;
        }

        _linkOff = !up;
        if (_linkOff)
        {
            TakeDown(notify: true);
        }

        _origin?.OnDriverChanged();
        Evaluate();
    }

    /// <summary>The origin wants its address to be known: the driver passes that on to its network.</summary>
    internal void Announce(MacAddress mac)
    {
        _news.OriginMac = mac;
        _news.Announce = unchecked(_news.Announce + 1);
        Tell();
    }

    private void TakeDriver(ulong accept, uint driver)
    {
        _config.Accept = accept;
        _config.Driver = driver;
        if (IsDriverReady)
        {
            ApplyDriver();
        }
    }

    private void ForgetDriver()
    {
        _config.Accept = 0;
        _config.Driver = 0;
    }

    private void ApplyDriver()
    {
        // It comes in two halves, the one with VERSION_1 last.
        ulong accept = _config.Accept;
        accept = accept == 0 ? 0 : (accept & VirtioFeatures.Version1) == 0 ? _accept : VirtioNetFeatures.Consistent(accept);
        bool down = (_config.Driver & GuestAbi.DriverDown) != 0;
        if (accept == _accept && down == _driverDown)
        {
            return;
        }

        _accept = accept;
        _driverDown = down;
        _owner.OnAccepted(Accepted);
        if (IsUp && _origin is { } origin && !Accepts(origin.Features))
        {
            TakeDown(notify: true);
        }

        _origin?.OnDriverChanged();
        Evaluate();
    }
}
