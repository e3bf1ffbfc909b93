// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Qemu.Host;
using VhostPci.Device.Server;
using VhostPci.Linux.Files;
using VhostPci.Linux.Sockets;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> for servers.</summary>
internal static class ServerEntries
{
    // SAFETY: the table is ours and not yet anybody's.
    internal static unsafe void Fill(vhost_pci_api* api)
    {
        api->server_plan = &Plan;
        api->server_create = &Create;
        api->server_destroy = &Destroy;
        api->server_set_log_level = &SetLogLevel;
        api->server_counters = &GetCounters;
    }

    // SAFETY: what the shim points at is valid for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Plan(vhost_pci_server_config* config, vhost_pci_bridge_plan* plan, dotnet_error* error)
        => Guard.Run((config: HostPointer.To(config), plan: HostPointer.To(plan)), new ErrorText(error), static (a, text) =>
        {
            if (!Plugin.Current.Library.TryPlan(Translate(in a.config.Value), out BridgePlan result, out string reason))
            {
                return text.Refuse(Errno.InvalidArgument, reason);
            }

            a.plan.Value = new vhost_pci_bridge_plan
            {
                pref64_reserve = result.Prefetchable,
                mem_reserve = result.NonPrefetchable,
                ovmf_mmio64_mib = result.OvmfMmio64Mebibytes,
                bridges = (uint)result.Bridges,
            };
            return 0;
        });

    // SAFETY: what the shim points at is valid for the call, and host until the server is destroyed.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Create(void* host, vhost_pci_server_config* config, ulong* number, dotnet_error* error)
        => Guard.Run((host: (nint)host, config: HostPointer.To(config), number: HostPointer.To(number)), new ErrorText(error), static (a, text) =>
        {
            ref vhost_pci_server_config config = ref a.config.Value;
            ServerConfig translated = Translate(in config);
            DumpFile? dump = null;
            if (HostText.Read(config.dump) is { } path && !DumpFile.TryCreate(path, out dump, out string failure))
            {
                return text.Refuse(Errno.InvalidArgument, $"dump={failure}");
            }

            VhostPciServer? server = null;
            string reason;
            try
            {
                server = Create((void*)a.host, config.listen_fd, translated, dump, out reason);
            }
            finally
            {
                if (server is null)
                {
                    dump?.Dispose();
                }
            }

            if (server is null)
            {
                return text.Refuse(Errno.InvalidArgument, reason);
            }

            a.number.Value = server.Number;
            return 0;
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Destroy(ulong number) => Guard.Run(number, static number =>
    {
        if (Find(number) is { } server)
        {
            Plugin.Current.Library.Destroy(server);
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SetLogLevel(ulong number, uint level) => Guard.Run((number, level), static a => Find(a.number)?.LogLevel = Translate(a.level));

    // SAFETY: what the shim points at is valid for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void GetCounters(ulong number, vhost_pci_server_counters* counters)
        => Guard.Run((number, counters: HostPointer.To(counters)), static a =>
        {
            if (Find(a.number) is { } server)
            {
                a.counters.Value = new vhost_pci_server_counters
                {
                    accepted = server.Accepted,
                    refused = server.Refused,
                    messages = server.Messages,
                    connections = (ulong)server.ConnectionCount,
                    devices = (ulong)server.DeviceCount,
                };
            }
        });

    private static VhostPciServer? Find(ulong number) => Plugin.Find<VhostPciServer>(number);

    // SAFETY: host is handed on, and not looked at.
    private static unsafe VhostPciServer? Create(void* host, int listener, ServerConfig config, DumpFile? dump, out string reason)
    {
        Plugin plugin = Plugin.Current;
        _ = OpenFileLimit.TryRaise(plugin.Library.Descriptors.CountAll(config), out ulong limit);
        plugin.Library.Descriptors.Limit = limit;
        _ = plugin.Library.TryCreateServer(new ServerHost(plugin.Host, host), new Listener(listener, plugin.Host), config, out VhostPciServer? server, out reason, dump);
        return server;
    }

    private static LogLevel Translate(uint level) => (dotnet_log_level)level switch
    {
        dotnet_log_level.DOTNET_LOG_DEBUG => LogLevel.Debug,
        dotnet_log_level.DOTNET_LOG_INFO => LogLevel.Information,
        dotnet_log_level.DOTNET_LOG_WARNING => LogLevel.Warning,
        _ => LogLevel.Error,
    };

    // SAFETY: its strings are the shim's, as the whole of it.
    private static unsafe ServerConfig Translate(in vhost_pci_server_config config) => new()
    {
        Id = HostText.Read(config.id) ?? "vhost-pci",
        Connections = config.connections,
        SlotSize = config.slot_size,
        MaxMemory = config.max_memory,
        PhysBits = config.phys_bits,
        AllowUnsealed = config.allow_unsealed != 0,
        Slots = config.slots,
        // Commas can only come by JSON or doubled.
        SlotBuses = HostText.Read(config.slot_buses)?.Split([':', ','], StringSplitOptions.TrimEntries),
        SocketPath = HostText.Read(config.socket_path),
        AllowUid = HostText.Read(config.allow_uid),
        LogLevel = Translate(config.log_level),
        Uid = config.uid,
        UnplugDelay = config.unplug_delay,
        QueuesMax = config.queues_max,
        PlugRate = config.plug_rate,
    };
}
