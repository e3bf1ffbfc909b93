// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using VhostPci.Device;
using VhostPci.Device.Limits;
using VhostPci.Device.Reporting;
using VhostPci.Linux.Memory;

namespace VhostPci.Plugin;

/// <summary>What the library keeps between calls.</summary>
internal sealed class PluginState
{
    private readonly ILogger _logger;
    private readonly LineBudget _faults = new(TimeProvider.System, Budgets.FaultLines, Budgets.FaultPeriod);

    internal PluginState(HostObjects objects)
    {
        Objects = objects;

        // Not LoggerFactory.Create: the container behind it costs start-up time and brings nothing here.
        Loggers = new LoggerFactory([new HostLoggerProvider(objects)], new LoggerFilterOptions { MinLevel = LogLevel.Debug });
        _logger = Loggers.CreateLogger("VhostPci.Plugin");
        Library = new VhostPciLibrary(objects, new WindowFactory(), Loggers, TimeProvider.System);
    }

    /// <summary>Set once by vhost_pci_get_api, before the host can call anything else.</summary>
    internal static PluginState? Current { get; set; }

    internal HostObjects Objects { get; }

    internal LoggerFactory Loggers { get; }

    internal VhostPciLibrary Library { get; }

    internal long FirstCallMicroseconds { get; set; }

    internal RuntimeFacts GetRuntimeFacts() => new(
        typeof(PluginState).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
        RuntimeFeature.IsDynamicCodeSupported ? "coreclr" : "nativeaot",
        GC.GetTotalAllocatedBytes(precise: false),
        GC.CollectionCount(0),
        GC.GetTotalMemory(forceFullCollection: false),
        FirstCallMicroseconds);

    internal void LogNoChannel() => PluginLog.NoChannel(_logger);

    /// <summary>
    /// An exception must not cross into C, where it would end the VM; the call fails and what went wrong is said, a few times an hour,
    /// since a guest may be able to repeat it.
    /// </summary>
    internal static int Fault(Exception exception, [CallerMemberName] string entry = "")
    {
        try
        {
            if (Current is not { } state || !state._faults.TryTake(out ulong hidden))
            {
                return Errno.IO;
            }

            if (hidden == 0)
            {
                PluginLog.Fault(state._logger, entry, exception);
            }
            else
            {
                PluginLog.FaultAfterOthers(state._logger, entry, hidden, exception);
            }
        }
        catch (Exception nested) when (nested is not null)
        {
            // Nothing is left to tell it to.
        }

        return Errno.IO;
    }
}
