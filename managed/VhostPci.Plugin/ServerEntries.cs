// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Server;
using VhostPci.Linux.Files;
using VhostPci.Linux.Generated;
using VhostPci.Linux.Sockets;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> for servers.</summary>
internal static unsafe class ServerEntries
{
    internal static void Fill(vhost_pci_api* api)
    {
        api->server_plan = &Plan;
        api->server_create = &Create;
        api->server_destroy = &Destroy;
        api->server_set_log_level = &SetLogLevel;
        api->server_counters = &GetCounters;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Plan(vhost_pci_server_config* config, vhost_pci_bridge_plan* plan, vhost_pci_error* error)
    {
        try
        {
            if (PluginState.Current is not { } state)
            {
                return Errno.NoEntry;
            }

            if (!state.Library.TryPlan(Translate(config), out BridgePlan result, out string reason))
            {
                ErrorText.Write(error, reason);
                return Errno.InvalidArgument;
            }

            plan->pref64_reserve = result.Prefetchable;
            plan->mem_reserve = result.NonPrefetchable;
            plan->ovmf_mmio64_mib = result.OvmfMmio64Mebibytes;
            plan->bridges = (uint)result.Bridges;
            return 0;
        }
        catch (Exception exception)
        {
            ErrorText.Write(error, exception.Message);
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Create(void* host, vhost_pci_server_config* config, ulong* number, vhost_pci_error* error)
    {
        DumpFile? dump = null;
        bool created = false;
        try
        {
            if (PluginState.Current is not { } state)
            {
                return Errno.NoEntry;
            }

            ServerConfig translated = Translate(config);
            _ = OpenFileLimit.TryRaise(state.Library.Descriptors.CountAll(translated), out ulong limit);
            state.Library.Descriptors.Limit = limit;

            var bridge = new ServerHost(state.Objects, host);
            var listener = new Listener(config->listen_fd, state.Objects);
            if (Marshal.PtrToStringUTF8((nint)config->dump) is { } path && !DumpFile.TryCreate(path, out dump, out string failure))
            {
                ErrorText.Write(error, $"dump={failure}");
                return Errno.InvalidArgument;
            }

            if (!state.Library.TryCreateServer(bridge, listener, translated, out VhostPciServer? server, out string reason, dump) || server is null)
            {
                ErrorText.Write(error, reason);
                return Errno.InvalidArgument;
            }

            created = true;
            *number = server.Number;
            return 0;
        }
        catch (Exception exception)
        {
            ErrorText.Write(error, exception.Message);
            return PluginState.Fault(exception);
        }
        finally
        {
            if (!created)
            {
                dump?.Dispose();
            }
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Destroy(ulong number)
    {
        try
        {
            if (PluginState.Current is { } state && state.Objects.Find<VhostPciServer>(number) is { } server)
            {
                state.Library.Destroy(server);
            }
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SetLogLevel(ulong number, uint level)
    {
        try
        {
            if (PluginState.Current?.Objects.Find<VhostPciServer>(number) is { } server)
            {
                server.LogLevel = TranslateLevel(level);
            }
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void GetCounters(ulong number, vhost_pci_server_counters* counters)
    {
        try
        {
            if (PluginState.Current?.Objects.Find<VhostPciServer>(number) is { } server)
            {
                counters->accepted = server.Accepted;
                counters->refused = server.Refused;
                counters->messages = server.Messages;
                counters->connections = (ulong)server.ConnectionCount;
                counters->devices = (ulong)server.DeviceCount;
            }
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    private static LogLevel TranslateLevel(uint level) => (vhost_pci_log_level)level switch
    {
        vhost_pci_log_level.VHOST_PCI_LOG_DEBUG => LogLevel.Debug,
        vhost_pci_log_level.VHOST_PCI_LOG_INFO => LogLevel.Information,
        vhost_pci_log_level.VHOST_PCI_LOG_WARNING => LogLevel.Warning,
        _ => LogLevel.Error,
    };

    private static ServerConfig Translate(vhost_pci_server_config* config)
    {
        // Commas can only come by JSON or doubled.
        string[]? buses = Marshal.PtrToStringUTF8((nint)config->slot_buses)?.Split([':', ','], StringSplitOptions.TrimEntries);
        return new ServerConfig
        {
            Id = ErrorText.FromHost(config->id, "vhost-pci"),
            Connections = config->connections,
            SlotSize = config->slot_size,
            MaxMemory = config->max_memory,
            PhysBits = config->phys_bits,
            AllowUnsealed = config->allow_unsealed != 0,
            Slots = config->slots,
            SlotBuses = buses,
            SocketPath = Marshal.PtrToStringUTF8((nint)config->socket_path),
            AllowUid = Marshal.PtrToStringUTF8((nint)config->allow_uid),
            LogLevel = TranslateLevel(config->log_level),
            Uid = config->uid,
            UnplugDelay = config->unplug_delay,
            QueuesMax = config->queues_max,
            PlugRate = config->plug_rate,
        };
    }
}
