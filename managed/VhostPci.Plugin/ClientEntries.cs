// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VhostPci.Device.Clients;
using VhostPci.Device.Ports;
using VhostPci.Linux.Generated;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> for clients.</summary>
internal static unsafe class ClientEntries
{
    private const int NotConnected = -107;
    private const uint MostSections = 4096;

    internal static void Fill(vhost_pci_api* api)
    {
        api->client_create = &Create;
        api->client_destroy = &Destroy;
        api->client_connected = &Connected;
        api->client_disconnected = &Disconnected;
        api->client_features = &GetFeatures;
        api->client_set_features = &SetFeatures;
        api->client_negotiated = &Negotiated;
        api->client_driver_state = &SetDriverState;
        api->client_frame = &SendFrame;
        api->client_set_memory = &SetMemory;
        api->client_set_vring_num = &SetVringNum;
        api->client_set_vring_base = &SetVringBase;
        api->client_set_vring_addr = &SetVringAddress;
        api->client_set_vring_fd = &SetVringFile;
        api->client_enable = &Enable;
        api->client_get_vring_base = &GetVringBase;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Create(void* host, vhost_pci_client_config* config, ulong* number, vhost_pci_error* error)
    {
        try
        {
            if (PluginState.Current is not { } state)
            {
                return Errno.NoEntry;
            }

            VhostPciClient client = state.Library.CreateClient(new ClientHost(state.Objects, host), Translate(config));
            *number = client.Number;
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
            if (PluginState.Current is { } state && Find(number) is { } client)
            {
                state.Library.Destroy(client);
            }
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Connected(ulong number, int descriptor)
    {
        try
        {
            if (PluginState.Current is not { } state || Find(number) is not { } client)
            {
                return;
            }

            if (Channel.Duplicate(descriptor, state.Objects) is { } channel)
            {
                client.Connected(channel);
            }
            else
            {
                state.LogNoChannel();
            }
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Disconnected(ulong number)
    {
        try
        {
            Find(number)?.Disconnected();
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong GetFeatures(ulong number)
    {
        try
        {
            return Find(number)?.OfferedFeatures ?? 0;
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
            return 0;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetFeatures(ulong number, ulong features)
    {
        try
        {
            return Find(number)?.SetFeatures(features) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Negotiated(ulong number)
    {
        try
        {
            Find(number)?.DriverNegotiated();
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetDriverState(ulong number, ulong offloads, byte* mac)
    {
        try
        {
            _ = MacAddress.TryParse(new ReadOnlySpan<byte>(mac, MacAddress.Size), out MacAddress address);
            return Find(number)?.SetDriverState(offloads, address) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SendFrame(ulong number, void* frame, uint length)
    {
        try
        {
            Find(number)?.SendFrame(new ReadOnlySpan<byte>(frame, checked((int)length)));
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetMemory(ulong number, vhost_pci_memory_region* regions, uint count)
    {
        try
        {
            return Find(number)?.SetMemory(Translate(regions, count), Backings(regions, count)) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetVringNum(ulong number, uint index, uint entries)
    {
        try
        {
            return Find(number)?.SetVringNum(index, entries) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetVringBase(ulong number, uint index, uint position)
    {
        try
        {
            return Find(number)?.SetVringBase(index, position) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetVringAddress(ulong number, vhost_pci_vring* ring)
    {
        try
        {
            return Find(number)?.SetVringAddress(ring->index, ring->desc, ring->avail, ring->used) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetVringFile(ulong number, uint index, uint which, int descriptor)
    {
        try
        {
            return Find(number)?.SetVringFile(index, (RingEndpoint)which, descriptor) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Enable(ulong number, uint index, uint enable)
    {
        try
        {
            return Find(number)?.Enable(index, enable != 0) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long GetVringBase(ulong number, uint index, uint entries, void* desc, void* used)
    {
        try
        {
            var table = new Span<byte>(desc, desc is null ? 0 : (int)entries * PackedRing.DescriptorSize);
            var device = new ReadOnlySpan<byte>(used, used is null ? 0 : (int)RingLayout.EventSize);
            return (long?)Find(number)?.GetVringBase(index, table, device) ?? NotConnected;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }

    private static VhostPciClient? Find(ulong number) => PluginState.Current?.Objects.Find<VhostPciClient>(number);

    private static MemorySection[] Translate(vhost_pci_memory_region* regions, uint count)
    {
        var sections = new MemorySection[Math.Min(count, MostSections)];
        for (int i = 0; i < sections.Length; i++)
        {
            sections[i] = new MemorySection(regions[i].guest_address, regions[i].size, regions[i].fd_offset, regions[i].fd);
        }

        return sections;
    }

    private static MemoryBacking[] Backings(vhost_pci_memory_region* regions, uint count)
    {
        var backings = new MemoryBacking[Math.Min(count, MostSections)];
        for (int i = 0; i < backings.Length; i++)
        {
            backings[i] = new MemoryBacking(ErrorText.FromHost(regions[i].backend, "?"), regions[i].seals);
        }

        return backings;
    }

    private static ClientConfig Translate(vhost_pci_client_config* config)
    {
        string id = ErrorText.FromHost(config->id, "virtio-net");
        _ = MacAddress.TryParse(config->mac, out MacAddress mac);
        var info = new DeviceInfo(
            (ushort)Math.Clamp(config->queue_pairs, 1, ushort.MaxValue),
            new Guid(config->uuid, bigEndian: true),
            mac,
            config->mtu >= DeviceInfo.MinMtu ? config->mtu : (ushort)0,
            config->memory_end,
            id);
        return new ClientConfig(id, info);
    }
}
