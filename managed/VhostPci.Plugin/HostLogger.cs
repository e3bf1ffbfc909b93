// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Unicode;
using Microsoft.Extensions.Logging;
using VhostPci.Linux.Generated;

namespace VhostPci.Plugin;

/// <summary>Writes each message as one line through QEMU's log.</summary>
internal sealed unsafe class HostLogger(HostObjects objects) : ILogger
{
    private const int MaximumLength = 1024;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Debug and < LogLevel.None && objects.Table.log_enabled((uint)Translate(logLevel)) != 0;

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
        fixed (byte* start = bytes)
        {
            objects.Table.log((uint)Translate(logLevel), (sbyte*)start, (uint)written);
        }
    }

    private static vhost_pci_log_level Translate(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => vhost_pci_log_level.VHOST_PCI_LOG_DEBUG,
        LogLevel.Information => vhost_pci_log_level.VHOST_PCI_LOG_INFO,
        LogLevel.Warning => vhost_pci_log_level.VHOST_PCI_LOG_WARNING,
        _ => vhost_pci_log_level.VHOST_PCI_LOG_ERROR,
    };
}
