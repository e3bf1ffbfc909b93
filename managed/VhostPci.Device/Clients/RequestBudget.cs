// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;

namespace VhostPci.Device.Clients;

/// <summary>How often a server may change something about the origin's device, each of which stops or starts its rings.</summary>
internal sealed class RequestBudget(TimeProvider time)
{
    private long? _started;
    private int _taken;

    /// <summary>Takes one.</summary>
    /// <param name="wait">When there is none: milliseconds until there is.</param>
    internal bool TryTake(out uint wait)
    {
        long now = time.GetTimestamp();
        TimeSpan since = _started is { } started ? time.GetElapsedTime(started, now) : Budgets.RequestPeriod;
        if (since >= Budgets.RequestPeriod)
        {
            _started = now;
            _taken = 0;
            since = TimeSpan.Zero;
        }

        wait = _taken < Budgets.ServerRequests ? 0 : (uint)Math.Ceiling((Budgets.RequestPeriod - since).TotalMilliseconds);
        _taken += wait == 0 ? 1 : 0;
        return wait == 0;
    }
}
