// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>What the origin says and wants.</summary>
public sealed partial class MirrorDevice
{
    /// <summary>What the origin says about itself; may come before or after the start.</summary>
    /// <param name="firstMac">The address that its device has been given; the interface here has one made from it.</param>
    /// <param name="originMac">The address that it has now.</param>
    /// <param name="mtu">Bytes; 0 when not known.</param>
    internal void Describe(MacAddress firstMac, MacAddress originMac, ushort mtu)
    {
        if (!originMac.IsZero)
        {
            _news.OriginMac = originMac;
        }

        // Once: it is the same origin for as long as the device lives, and the guest's interface keeps its address.
        if (!firstMac.IsZero && !KeepsAddress)
        {
            _hasOriginsAddress = true;
            _news.Mac = _owner.ChooseAddress(this, firstMac);
        }

        _news.Mtu = mtu;
        Tell();
    }

    /// <summary>The origin's driver has switched something.</summary>
    internal void Follow(MacAddress originMac)
    {
        _news.OriginMac = originMac;
        Tell();
    }

    /// <summary>Shows the origin's memory and rings as soon as the rule allows.</summary>
    internal void Start()
    {
        _wanted = true;
        Evaluate();
    }

    /// <summary>The origin has more memory. What the driver uses does not change, so it is not told.</summary>
    internal bool TryShowMore(MemoryRegion region, IPeerFile file, out string error)
    {
        if (!IsUp || _window is not { } window)
        {
            // It comes with the rest.
            error = string.Empty;
            return true;
        }

        bool shown = window.TryMap(region.GuestAddress, file, region.FileOffset, region.Length, out error);
        if (shown)
        {
            _host.Trace(TraceEvent.Map, Number, region.GuestAddress, region.Length);
        }

        return shown;
    }

    /// <summary>More rings run, and those that ran before go on: nothing is withdrawn for it.</summary>
    internal void Extend()
    {
        if (!IsUp || _origin is not { } origin || _device is not { } device)
        {
            // They come with the others.
            return;
        }

        if (TryBindRings(origin, device, out bool[] added, out string error))
        {
            Publish(origin, device, added);
        }
        else
        {
            origin.OnDeviceFailed(error);
        }
    }

    /// <summary>Takes the origin's memory and rings away, now.</summary>
    internal void Stop()
    {
        _wanted = false;
        TakeDown(notify: true);
    }

    /// <summary>A ring got another eventfd while it runs; its number is already in <see cref="Ring"/>.</summary>
    internal bool TryRebind(int ring, RingEndpoint endpoint)
    {
        if (!_shown[ring] || _device is null || _origin is null)
        {
            return true;
        }

        if (!TryBind(ring, endpoint, _origin.GetRing(ring)))
        {
            return false;
        }

        if (endpoint == RingEndpoint.Kick)
        {
            // The origin may have signalled the old one last.
            _device.RaiseRing(ring);
        }

        return true;
    }

    /// <summary>Disconnects an eventfd that is about to be closed.</summary>
    internal void Unbind(int ring, RingEndpoint endpoint)
    {
        if (_shown[ring])
        {
            _device?.Bind(ring, endpoint, -1);
        }
    }

    /// <summary>Gives the device to an origin: a static one to the next, another to the one that had it.</summary>
    internal void Adopt(IOrigin origin, ulong connection, PeerCredentials peer, OriginKey? key)
    {
        if (!IsFree)
        {
            throw new InvalidOperationException("the device is not free");
        }

        Identity = Identity with { Connection = connection, Peer = peer };
        Key = key;
        IsNew = false;
        SaidTooSmall = false;
        _origin = origin;
        _host.ArmTimer(Number, _awaited is null ? 0 : AckTimeout);
    }

    /// <summary>By what its origin is to be known again.</summary>
    internal void Remember(OriginKey? key) => Key = key;
}
