// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>What the server wants of this device, kept until it may be done; a later wish replaces one of its kind.</summary>
internal sealed class ServerWishes(TimeProvider time)
{
    private readonly RequestBudget _budget = new(time);
    private ulong? _features;
    private bool? _isUp;

    /// <summary>Keeps a request of the server's.</summary>
    /// <returns>False for what is none.</returns>
    internal bool TryKeep(BackEndMessage message)
    {
        switch (message)
        {
            case AcceptFeatures accept:
                _features = accept.Features;
                return true;
            case SetLink link:
                _isUp = link.IsUp;
                return true;
            default:
                return false;
        }
    }

    internal void Forget() => (_features, _isUp) = (null, null);

    /// <summary>Takes what is wanted. When a server wants something new all the time, that is for later.</summary>
    /// <param name="wish">The features to use and the state of the link, where there is a wish.</param>
    /// <param name="wait">Milliseconds until it may be done; 0 when nothing waits.</param>
    internal bool TryTake(out (ulong? Features, bool? IsUp) wish, out uint wait)
    {
        wish = (_features, _isUp);
        wait = 0;
        if ((_features is null && _isUp is null) || !_budget.TryTake(out wait))
        {
            return false;
        }

        Forget();
        return true;
    }
}
