// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace Qemu.Host;

/// <summary>Reports of faults of the library's own: <see cref="Lines"/> in an hour, because each has a stack trace and a guest may cause them.</summary>
internal sealed partial class FaultLog(ILogger logger, string library, TimeProvider time)
{
    /// <summary>Reports in one hour.</summary>
    internal const int Lines = 10;

    private static readonly TimeSpan Period = TimeSpan.FromHours(1);

    private long _started;
    private int _lines;
    private ulong _hidden;

    internal void Write(string entry, Exception exception)
    {
        try
        {
            if (_lines == 0 || time.GetElapsedTime(_started) >= Period)
            {
                _started = time.GetTimestamp();
                _lines = 0;
            }

            if (_lines == Lines)
            {
                _hidden++;
                return;
            }

            _lines++;
            if (_hidden == 0)
            {
                Fault(logger, library, entry, exception);
            }
            else
            {
                FaultAfterOthers(logger, library, entry, _hidden, exception);
            }

            _hidden = 0;
        }
        catch (Exception nested) when (nested is not null)
        {
            // Nothing is left to tell it to.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{library}: internal error in {entry}, please report it")]
    private static partial void Fault(ILogger logger, string library, string entry, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "{library}: internal error in {entry}, please report it ({hidden} before were not shown)")]
    private static partial void FaultAfterOthers(ILogger logger, string library, string entry, ulong hidden, Exception exception);
}
