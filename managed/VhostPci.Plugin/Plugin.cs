// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Extensions.Logging;
using Qemu.Host;
using VhostPci.Device;
using VhostPci.Device.Ports;
using VhostPci.Device.Reporting;
using VhostPci.Linux.Memory;

namespace VhostPci.Plugin;

/// <summary>What the library keeps between calls, and its table.</summary>
internal sealed partial class Plugin
{
    private static Plugin? _current;

    private readonly ILogger _logger;

    private Plugin(HostAdapter host)
    {
        Host = host;
        _logger = QemuHost.Current.Loggers.CreateLogger<Plugin>();
        Library = new VhostPciLibrary(host, new WindowFactory(), QemuHost.Current.Loggers, TimeProvider.System);
    }

    /// <summary>There from the first time that QEMU asks for the interface, and so before any entry is called.</summary>
    internal static Plugin Current => _current ?? throw new InvalidOperationException("nobody has asked for the interface");

    internal HostAdapter Host { get; }

    internal VhostPciLibrary Library { get; }

    internal long FirstCallMicroseconds { get; private set; }

    internal static QemuInterface CreateInterface() => new(
        Encoding.UTF8.GetString(VhostPciAbi.VHOST_PCI_INTERFACE),
        VhostPciAbi.VHOST_PCI_ABI_VERSION,
        Unsafe.SizeOf<vhost_pci_host>(),
        static host =>
        {
            long start = Stopwatch.GetTimestamp();
            _current = new Plugin(new HostAdapter(QemuHost.Current, new HostPointer<vhost_pci_host>(host).Value));
            nint table = CreateTable();
            _current.FirstCallMicroseconds = (long)Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            return table;
        });

    /// <summary>Finds an object of the device logic by a number of QEMU's. Allocates nothing.</summary>
    internal static T? Find<T>(ulong number)
        where T : class, IReactor
        => Current.Host.Find<T>(number);

    internal RuntimeFacts GetRuntimeFacts() => new(
        typeof(Plugin).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
        RuntimeFeature.IsDynamicCodeSupported ? "coreclr" : "nativeaot",
        GC.GetTotalAllocatedBytes(precise: false),
        GC.CollectionCount(0),
        GC.GetTotalMemory(forceFullCollection: false),
        FirstCallMicroseconds);

    internal void LogNoChannel() => NoChannel(_logger);

    // SAFETY: the memory is as large as the struct and never freed.
    private static unsafe nint CreateTable()
    {
        var table = (vhost_pci_api*)NativeMemory.AllocZeroed((nuint)sizeof(vhost_pci_api));
        table->version = VhostPciAbi.VHOST_PCI_ABI_VERSION;
        table->size = (uint)sizeof(vhost_pci_api);
        ServerEntries.Fill(table);
        DeviceEntries.Fill(table);
        ClientEntries.Fill(table);
        ReportEntry.Fill(table);
        return (nint)table;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "vhost-pci-client: the chardev's connection could not be duplicated (ulimit -n)")]
    private static partial void NoChannel(ILogger logger);
}
