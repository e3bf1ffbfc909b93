// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Device.Server;

/// <summary>One server's log: its level can be changed at any time.</summary>
/// <remarks>The host makes trace events of debug lines, so those go there at every level; at level debug they are shown as well.</remarks>
internal sealed class ServerLogger(ILogger host, LogLevel level) : ILogger
{
    internal LogLevel Level { get; set; } = level;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => host.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Debug ? host.IsEnabled(logLevel) || Level <= logLevel : logLevel >= Level && host.IsEnabled(logLevel);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        if (host.IsEnabled(logLevel))
        {
            host.Log(logLevel, eventId, state, exception, formatter);
        }

        if (logLevel == LogLevel.Debug && Level <= LogLevel.Debug)
        {
            host.Log(LogLevel.Information, eventId, state, exception, formatter);
        }
    }
}
