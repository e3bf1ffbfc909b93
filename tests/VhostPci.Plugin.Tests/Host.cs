// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host.Generated;
using VhostPci.Plugin.Generated;

namespace VhostPci.Plugin.Tests;

/// <summary>QEMU's half of the ABI: remembers what it is asked for, and fails where a test says so.</summary>
internal static unsafe partial class Host
{
    private const nint Library = 0x11b;

    private static readonly Dictionary<(ulong Number, int Descriptor), uint> Watches = [];

    /// <summary>The host function that fails; null for none.</summary>
    internal static string? Failing { get; set; }

    /// <summary>What is done when the library calls that function: a host that comes back in.</summary>
    internal static Action? Meanwhile { get; set; }

    internal static List<string> Lines { get; } = [];

    /// <summary>Calls with something that is not what the library was given as its own name.</summary>
    internal static int Strangers { get; private set; }

    /// <summary>The table of the library that is being tested.</summary>
    internal static vhost_pci_api* Api { get; set; }

    /// <summary>The lower table of the library that is being tested.</summary>
    internal static dotnet_api* Lower { get; set; }

    internal static dotnet_host* NewLowerTable()
    {
        // The library copies it, so it need not live.
        var table = (dotnet_host*)NativeMemory.AllocZeroed((nuint)sizeof(dotnet_host));
        table->version = DotnetHostAbi.DOTNET_HOST_ABI_VERSION;
        table->size = (uint)sizeof(dotnet_host);
        table->library = (void*)Library;
        table->log = &Log;
        table->log_enabled = &LogEnabled;
        table->watch_fd = &Watch;
        table->arm_timer = &ArmTimer;
        table->close_later = &CloseLater;
        table->unclosed = &Unclosed;
        AssertFull((nint*)table, sizeof(dotnet_host));
        return table;
    }

    internal static vhost_pci_host* NewTable()
    {
        var table = (vhost_pci_host*)NativeMemory.AllocZeroed((nuint)sizeof(vhost_pci_host));
        table->version = VhostPciAbi.VHOST_PCI_ABI_VERSION;
        table->size = (uint)sizeof(vhost_pci_host);
        table->trace = &Trace;
        table->plug_device = &PlugDevice;
        table->bridge_window = &BridgeWindow;
        table->unplug_device = &UnplugDevice;
        table->config_changed = &Ignore;
        table->bind_ring = &BindRing;
        table->bind_rings = &BindRings;
        table->raise_ring = &IgnoreNumber;
        table->ring_counters = &RingCounters;
        table->take_window_fault = &TakeWindowFault;
        table->client_link = &IgnoreNumber;
        table->client_driver_features = &DriverFeatures;
        table->client_offer = &Offer;
        table->client_ask_for_reset = &Ignore;
        table->client_disconnect = &Ignore;
        AssertFull((nint*)table, sizeof(vhost_pci_host));
        return table;
    }

    /// <summary>A function that is new in the ABI and not here would end the test process at its first call.</summary>
    private static void AssertFull(nint* table, int size) => Assert.False(new Span<nint>(table + 1, (size / sizeof(nint)) - 1).Contains(0));

    /// <summary>The main loop's turns: every watched descriptor is reported, ready or not, as the library must be able to take.</summary>
    internal static void Pump()
    {
        for (int turn = 0; turn < 4; turn++)
        {
            foreach (((ulong number, int descriptor), uint events) in Watches.ToArray())
            {
                Lower->fd_ready(number, descriptor, events);
            }
        }
    }

    internal static bool IsWatched(ulong number) => Watches.Keys.Any(watch => watch.Number == number);

    internal static void Forget() => Watches.Clear();

    private static bool Fails([CallerMemberName] string name = "")
    {
        if (Failing != name)
        {
            return false;
        }

        Action? meanwhile = Meanwhile;
        Meanwhile = null;
        meanwhile?.Invoke();
        return true;
    }

    /// <summary>An exception cannot get out of here: a wrong one is for the test to see.</summary>
    private static void Check(void* library) => Strangers += (nint)library == Library ? 0 : 1;

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Log(uint level, sbyte* text, uint length) => Lines.Add(System.Text.Encoding.UTF8.GetString((byte*)text, (int)length));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint LogEnabled(uint level) => 1;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Trace(uint traceEvent, ulong id, ulong a, ulong b)
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Watch(void* library, ulong number, int descriptor, uint events)
    {
        Check(library);
        if (events == 0)
        {
            Watches.Remove((number, descriptor));
        }
        else
        {
            Watches[(number, descriptor)] = events;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void ArmTimer(void* library, ulong number, uint milliseconds) => Check(library);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void CloseLater(void* library, ulong lane, int descriptor)
    {
        Check(library);
        _ = Close(descriptor);
    }


    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint Unclosed(void* library, ulong lane) => 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int PlugDevice(void* server, ulong number, sbyte* bus, uint slot, sbyte* id, dotnet_error* error)
    {
        if (Fails("PlugDevice"))
        {
            return -12;
        }

        vhost_pci_device_plan plan = default;
        int result = Api->device_attach(number, (void*)number, &plan, error);
        if (result >= 0)
        {
            Api->device_ready(number);
        }

        return result;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void BridgeWindow(void* server, sbyte* bus, vhost_pci_bridge_window* window)
    {
        _ = Fails("BridgeWindow");
        window->@base = 1UL << 36;
        window->limit = (1UL << 36) + (64UL << 30) - 1;
        window->bus = 1;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int UnplugDevice(void* device, dotnet_error* error) => Fails("UnplugDevice") ? -16 : 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int BindRing(void* device, uint ring, uint which, int descriptor) => Fails("BindRing") ? -24 : 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int BindRings(void* device, vhost_pci_ring_files* files, uint count) => Fails("BindRings") ? -24 : 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void RingCounters(void* device, uint ring, vhost_pci_ring_counters* counters) => *counters = default;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint TakeWindowFault(void* device) => 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong DriverFeatures(void* client) => 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Offer(void* client, ulong features)
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Ignore(void* what)
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void IgnoreNumber(void* what, uint number)
    {
    }
}
