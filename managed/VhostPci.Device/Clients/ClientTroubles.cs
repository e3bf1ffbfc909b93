// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Limits;

namespace VhostPci.Device.Clients;

/// <summary>Says what is wrong between a client and its server, no more often than a server's refusals are said.</summary>
internal sealed class ClientTroubles(ILogger logger, string id, TimeProvider time)
{
    private readonly LineBudget _limit = new(time, Budgets.LogLines, Budgets.LogPeriod);

    internal void Lost(string reason)
    {
        if (MayBeSaid(out string hidden))
        {
            ClientLog.Lost(logger, id, reason, hidden);
        }
    }

    internal void Unusable(string reason)
    {
        if (MayBeSaid(out string hidden))
        {
            ClientLog.Unusable(logger, id, reason, hidden);
        }
    }

    internal void NeedsReset(string features)
    {
        if (MayBeSaid(out string hidden))
        {
            ClientLog.NeedsReset(logger, id, features, hidden);
        }
    }

    internal void BadMemory(string reason)
    {
        if (MayBeSaid(out string hidden))
        {
            ClientLog.BadMemory(logger, id, reason, hidden);
        }
    }

    private bool MayBeSaid(out string hidden)
    {
        bool may = _limit.TryTake(out ulong before);
        hidden = before == 0 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $" ({before} messages before were not shown)");
        return may;
    }
}
