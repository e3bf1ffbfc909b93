// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Tells an origin's front-end what the mirror's guest driver accepts and whether its end of the link is up.</summary>
/// <remarks>The guest may change its mind at any rate; the front-end hears of the latest, at one that it can follow.</remarks>
internal sealed class DriverNews(IOriginServer server, Session session, FrontEndWriter writer, ConnectionTimer timer)
{
    private readonly RateBudget _budget = server.NewNewsBudget();
    private ulong? _lastSentFeatures;
    private bool _lastSentLink = true;

    /// <summary>Sends what the front-end does not know yet, now or when it may.</summary>
    /// <returns>False when the front-end does not read.</returns>
    internal bool TrySend(IMirrorDevice device)
    {
        ulong accepted = session.Class.Offered & device.Accepted;
        bool newFeatures = accepted != (_lastSentFeatures ?? session.OfferedFeatures);
        bool newLink = device.IsDriverLinkUp != _lastSentLink;
        if (!session.IsExtended || !(newFeatures || newLink))
        {
            return true;
        }

        if (!_budget.TryTake(out TimeSpan wait))
        {
            timer[Waiting.News] ??= timer.After(wait);
            return true;
        }

        _lastSentFeatures = newFeatures ? accepted : _lastSentFeatures;
        _lastSentLink = device.IsDriverLinkUp;
        return (!newFeatures || writer.TryRequest(BackEndRequest.AcceptFeatures, accepted))
            && (!newLink || writer.TryRequest(BackEndRequest.SetLink, _lastSentLink ? 1UL : 0));
    }
}
