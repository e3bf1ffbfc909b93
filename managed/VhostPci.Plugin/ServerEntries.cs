// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VhostPci.Device.Server;
using VhostPci.Interop.Generated;
using VhostPci.Interop.Sockets;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> for servers.</summary>
internal static unsafe class ServerEntries
{
    internal static void Fill(vhost_pci_api* api)
    {
        api->server_plan = &Plan;
        api->server_create = &Create;
        api->server_destroy = &Destroy;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Plan(vhost_pci_server_config* config, vhost_pci_bridge_plan* plan, vhost_pci_error* error)
    {
        try
        {
            if (!BridgePlanner.TryPlan(Translate(config), out BridgePlan result, out string reason))
            {
                ErrorText.Write(error, reason);
                return Errno.InvalidArgument;
            }

            plan->pref64_reserve = result.Prefetchable;
            plan->mem_reserve = result.NonPrefetchable;
            plan->ovmf_mmio64_mib = result.OvmfMmio64Mebibytes;
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
        try
        {
            if (PluginState.Current is not { } state)
            {
                return Errno.NoEntry;
            }

            var bridge = new ServerHost(state.Objects, host);
            var listener = new Listener(config->listen_fd);
            if (!state.Library.TryCreateServer(bridge, listener, Translate(config), out VhostPciServer? server, out string reason) || server is null)
            {
                ErrorText.Write(error, reason);
                return Errno.InvalidArgument;
            }

            *number = server.Number;
            return 0;
        }
        catch (Exception exception)
        {
            ErrorText.Write(error, exception.Message);
            return PluginState.Fault(exception);
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

    private static ServerConfig Translate(vhost_pci_server_config* config) => new()
    {
        Id = ErrorText.FromHost(config->id, "vhost-pci"),
        Connections = config->connections,
        SlotSize = config->slot_size,
        MaxMemory = config->max_memory,
        PhysBits = config->phys_bits,
        AllowUnsealed = config->allow_unsealed != 0,
        Slots = config->slots,
    };
}
