// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Device.Tests.Support;

/// <summary>Keeps what is logged.</summary>
internal sealed class LogList : ILoggerFactory, ILogger
{
    internal List<(LogLevel Level, string Text)> Lines { get; } = [];

    internal string[] Warnings => [.. Lines.Where(line => line.Level >= LogLevel.Warning).Select(line => line.Text)];

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public ILogger CreateLogger(string categoryName) => this;

    public void Dispose()
    {
        // Nothing is held.
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => Lines.Add((logLevel, formatter(state, exception)));
}
