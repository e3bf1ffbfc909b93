// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Server;

/// <summary>Limits how many log lines strangers can cause: a burst, then a few per period, counting what was left out.</summary>
public sealed class RefusalLog(TimeProvider time)
{
    /// <summary>Lines in one period.</summary>
    public const int Burst = 10;

    /// <summary>After which <see cref="Burst"/> lines are allowed again.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private long _started = long.MinValue;
    private int _lines;

    /// <summary>Refusals since the start, shown or not.</summary>
    public ulong Total { get; private set; }

    /// <summary>Refusals that were not shown since the last line.</summary>
    public ulong Hidden { get; private set; }

    /// <summary>Counts one refusal.</summary>
    /// <param name="hiddenBefore">How many were left out since the last line.</param>
    /// <returns>Whether to write a line.</returns>
    public bool Count(out ulong hiddenBefore)
    {
        Total++;
        long now = time.GetTimestamp();
        if (_started == long.MinValue || time.GetElapsedTime(_started, now) >= Period)
        {
            _started = now;
            _lines = 0;
        }

        hiddenBefore = Hidden;
        if (_lines >= Burst)
        {
            Hidden++;
            return false;
        }

        _lines++;
        Hidden = 0;
        return true;
    }
}
