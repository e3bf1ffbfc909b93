// SPDX-License-Identifier: GPL-2.0-or-later
using static System.FormattableString;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Limits;

namespace VhostPci.Device.Clients;

/// <summary>Says what is wrong between a client and its server, no more often than a server's refusals are said.</summary>
internal sealed class ClientTroubles(ILogger logger, string id, TimeProvider time)
{
    private readonly LineBudget _limit = new(time, Budgets.LogLines, Budgets.LogPeriod);

    /// <summary>Writes a line of <see cref="ClientLog"/>, or counts it.</summary>
    internal void Say(Action<ILogger, string, string, string> line, string what)
    {
        if (_limit.TryTake(out ulong before))
        {
            line(logger, id, what, before == 0 ? string.Empty : Invariant($" ({before} messages before were not shown)"));
        }
    }
}
