// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Limits;

/// <summary>Limits the log lines that a peer can cause: a burst in each period, with a count of those left out.</summary>
/// <param name="time">The clock.</param>
/// <param name="lines">Lines in one period.</param>
/// <param name="period">After which that many are allowed again.</param>
public sealed class LineBudget(TimeProvider time, int lines, TimeSpan period)
{
    private long _started = long.MinValue;
    private int _lines;

    /// <summary>Lines that were not shown since the last one that was.</summary>
    public ulong Hidden { get; private set; }

    /// <summary>The next line starts a new period.</summary>
    public bool IsFull => _started == long.MinValue || time.GetElapsedTime(_started, time.GetTimestamp()) >= period;

    /// <summary>Asks for one line.</summary>
    /// <param name="hiddenBefore">How many were left out since the last line.</param>
    /// <returns>Whether to write it.</returns>
    public bool TryTake(out ulong hiddenBefore)
    {
        if (IsFull)
        {
            _started = time.GetTimestamp();
            _lines = 0;
        }

        hiddenBefore = Hidden;
        if (_lines >= lines)
        {
            Hidden++;
            return false;
        }

        _lines++;
        Hidden = 0;
        return true;
    }
}
