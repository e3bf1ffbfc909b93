// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Net;

namespace VhostPci.Device.Devices;

/// <summary>What the rings do not depend on, and when the driver hears of it.</summary>
public sealed partial class MirrorDevice
{
    private OriginNews _news;
    private bool _untold;

    /// <summary>The next step of the configuration, with all news in it.</summary>
    private uint Step()
    {
        _untold = false;
        _config.Mac = _news.Mac;
        _config.OriginMac = _news.OriginMac;
        _config.Mtu = _news.Mtu;
        _config.Announce = _news.Announce;
        _config.SetLink(IsUp, IsUp && _origin is { } origin ? origin.EffectiveFeatures : 0);
        return _config.NextEpoch();
    }

    /// <summary>There is news: a step for it, or it is in the next one.</summary>
    private void Tell()
    {
        _untold = true;
        TellNews();
    }

    /// <summary>
    /// One step at a time: while the driver has not acknowledged the last one, news waits and the latest wins. So an origin can change
    /// its mind at any rate, and the driver has no more to do than it can.
    /// </summary>
    private void TellNews()
    {
        if (!_untold || (IsDriverReady && IsLater(_config.Epoch, _config.Ack)))
        {
            return;
        }

        Step();
        _device?.NotifyConfigChanged();
    }
}
