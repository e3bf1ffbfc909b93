// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace Qemu.Host;

/// <summary>Hands out <see cref="HostLogger"/>.</summary>
internal sealed class HostLoggerProvider(QemuHost host) : ILoggerProvider
{
    private readonly HostLogger _logger = new(host);

    public ILogger CreateLogger(string categoryName) => _logger;

    public void Dispose()
    {
        // The logger holds nothing.
    }
}
