// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;

namespace VhostPci.Plugin;

/// <summary>Hands out <see cref="HostLogger"/>.</summary>
internal sealed class HostLoggerProvider(HostObjects objects) : ILoggerProvider
{
    private readonly HostLogger _logger = new(objects);

    public ILogger CreateLogger(string categoryName) => _logger;

    public void Dispose()
    {
        // The logger holds nothing.
    }
}
