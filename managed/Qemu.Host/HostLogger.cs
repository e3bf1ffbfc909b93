// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Unicode;
using Microsoft.Extensions.Logging;
using Qemu.Host.Generated;

namespace Qemu.Host;

/// <summary>Writes each message as one line to QEMU's log.</summary>
internal sealed class HostLogger(QemuHost host) : ILogger
{
    private const int MaximumLength = 1024;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Debug and < LogLevel.None && host.IsLogged(Translate(logLevel));

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        string text = formatter(state, exception);
        if (exception is not null)
        {
            text = $"{text}: {exception}";
        }

        Span<byte> bytes = stackalloc byte[MaximumLength];
        _ = Utf8.FromUtf16(text.ReplaceLineEndings(" "), bytes, out _, out int written);
        host.Log(Translate(logLevel), bytes[..written]);
    }

    private static dotnet_log_level Translate(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => dotnet_log_level.DOTNET_LOG_DEBUG,
        LogLevel.Information => dotnet_log_level.DOTNET_LOG_INFO,
        LogLevel.Warning => dotnet_log_level.DOTNET_LOG_WARNING,
        _ => dotnet_log_level.DOTNET_LOG_ERROR,
    };
}
