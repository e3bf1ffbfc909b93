// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Limits;

/// <summary>Allows a burst, then one event in each interval.</summary>
/// <param name="time">The clock.</param>
/// <param name="burst">Times at once.</param>
/// <param name="interval">After which there is one more.</param>
internal sealed class RateBudget(TimeProvider time, int burst, TimeSpan interval)
{
    // When the whole burst will be there again.
    private TimeSpan _fullAt;

    /// <summary>The whole burst is there.</summary>
    internal bool IsFull => _fullAt <= time.GetElapsedTime(0);

    /// <summary>Whether there is one left; if not, after how long there will be.</summary>
    internal bool HasOne(out TimeSpan wait)
    {
        TimeSpan missing = _fullAt - time.GetElapsedTime(0);
        wait = missing - (interval * (burst - 1));
        return wait <= TimeSpan.Zero;
    }

    /// <summary>Takes one, if there is one.</summary>
    internal bool TryTake(out TimeSpan wait)
    {
        if (!HasOne(out wait))
        {
            return false;
        }

        TimeSpan now = time.GetElapsedTime(0);
        _fullAt = (_fullAt > now ? _fullAt : now) + interval;
        return true;
    }
}
