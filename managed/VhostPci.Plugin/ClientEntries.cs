// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host;
using VhostPci.Device.Clients;
using VhostPci.Device.Ports;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> for clients.</summary>
internal static class ClientEntries
{
    private const uint MostSections = 4096;

    // SAFETY: the table is ours and not yet anybody's.
    internal static unsafe void Fill(vhost_pci_api* api)
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

    // SAFETY: what the shim points at is valid for the call, and host until the client is destroyed.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Create(void* host, vhost_pci_client_config* config, ulong* number, dotnet_error* error)
        => Guard.Run((host: (nint)host, config: HostPointer.To(config), number: HostPointer.To(number)), new ErrorText(error), static (a, text) =>
        {
            Plugin plugin = Plugin.Current;
            a.number.Value = plugin.Library.CreateClient(new ClientHost(plugin.Host, (void*)a.host), Translate(in a.config.Value)).Number;
            return 0;
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Destroy(ulong number) => Guard.Run(number, static number =>
    {
        if (Find(number) is { } client)
        {
            Plugin.Current.Library.Destroy(client);
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Connected(ulong number, int descriptor) => Guard.Run((number, descriptor), static a =>
    {
        if (Find(a.number) is not { } client)
        {
            return;
        }

        if (Channel.Duplicate(a.descriptor, Plugin.Current.Host) is { } channel)
        {
            client.Connected(channel);
        }
        else
        {
            Plugin.Current.LogNoChannel();
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Disconnected(ulong number) => Guard.Run(number, static number => Find(number)?.Disconnected());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong GetFeatures(ulong number) => Guard.Run(number, 0UL, static number => Find(number)?.OfferedFeatures ?? 0);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetFeatures(ulong number, ulong features)
        => Guard.Run((number, features), Errno.IO, static a => Find(a.number)?.SetFeatures(a.features) ?? Errno.NotConnected);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Negotiated(ulong number) => Guard.Run(number, static number => Find(number)?.DriverNegotiated());

    // SAFETY: an address of that size, the shim's for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int SetDriverState(ulong number, ulong offloads, byte* mac)
        => Guard.Run((number, offloads, mac: HostPointer.To(mac)), Errno.IO, static a =>
        {
            return Find(a.number)?.SetDriverState(a.offloads, MacAddress.Read(a.mac.AsSpan(MacAddress.Size))) ?? Errno.NotConnected;
        });

    // SAFETY: length bytes that are the shim's, for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void SendFrame(ulong number, void* frame, uint length)
        => Guard.Run((number, frame: HostPointer.To((byte*)frame), length), static a => Find(a.number)?.SendFrame(a.frame.AsSpan(a.length)));

    // SAFETY: count regions that are the shim's, for the call, and their strings.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int SetMemory(ulong number, vhost_pci_memory_region* regions, uint count)
        => Guard.Run((number, regions: HostPointer.To(regions), count: Math.Min(count, MostSections)), Errno.IO, static a =>
        {
            if (Find(a.number) is not { } client)
            {
                return Errno.NotConnected;
            }

            var sections = new MemorySection[a.count];
            var backings = new MemoryBacking[a.count];
            ReadOnlySpan<vhost_pci_memory_region> regions = a.regions.AsSpan(a.count);
            for (int i = 0; i < regions.Length; i++)
            {
                sections[i] = new MemorySection(regions[i].guest_address, regions[i].size, regions[i].fd_offset, regions[i].fd);
                backings[i] = new MemoryBacking(HostText.Read(regions[i].backend) ?? "?", regions[i].seals);
            }

            return client.SetMemory(sections, backings);
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetVringNum(ulong number, uint index, uint entries)
        => Guard.Run((number, index, entries), Errno.IO, static a => Find(a.number)?.SetVringNum(a.index, a.entries) ?? Errno.NotConnected);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetVringBase(ulong number, uint index, uint position)
        => Guard.Run((number, index, position), Errno.IO, static a => Find(a.number)?.SetVringBase(a.index, a.position) ?? Errno.NotConnected);

    // SAFETY: the ring is the shim's, for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int SetVringAddress(ulong number, vhost_pci_vring* ring)
        => Guard.Run((number, ring: HostPointer.To(ring)), Errno.IO, static a =>
        {
            if (Find(a.number) is not { } client)
            {
                return Errno.NotConnected;
            }

            ref readonly vhost_pci_vring ring = ref a.ring.Value;
            return client.SetVringAddress(ring.index, ring.desc, ring.avail, ring.used);
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SetVringFile(ulong number, uint index, uint which, int descriptor)
        => Guard.Run((number, index, which, descriptor), Errno.IO, static a
            => Find(a.number)?.SetVringFile(a.index, (RingEndpoint)a.which, a.descriptor) ?? Errno.NotConnected);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Enable(ulong number, uint index, uint enable)
        => Guard.Run((number, index, enable), Errno.IO, static a => Find(a.number)?.Enable(a.index, a.enable != 0) ?? Errno.NotConnected);

    // SAFETY: a descriptor table of that many entries and a device area, the shim's for the call, or null.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe long GetVringBase(ulong number, uint index, uint entries, void* desc, void* used)
        => Guard.Run((number, index, entries, desc: HostPointer.To((byte*)desc), used: HostPointer.To((byte*)used)), (long)Errno.IO, static a =>
        {
            Span<byte> table = a.desc.IsNull ? [] : a.desc.AsSpan(a.entries * PackedRing.DescriptorSize);
            ReadOnlySpan<byte> device = a.used.IsNull ? [] : a.used.AsSpan((uint)RingLayout.EventSize);
            return (long?)Find(a.number)?.GetVringBase(a.index, table, device) ?? Errno.NotConnected;
        });

    private static VhostPciClient? Find(ulong number) => Plugin.Find<VhostPciClient>(number);

    // SAFETY: its string is the shim's, as the whole of it.
    private static unsafe ClientConfig Translate(in vhost_pci_client_config config)
    {
        string id = HostText.Read(config.id) ?? "virtio-net";
        var info = new DeviceInfo(
            VirtioDeviceId.Net,
            (ushort)Math.Clamp(config.queue_pairs, 1, ushort.MaxValue),
            new Guid(config.uuid, bigEndian: true),
            MacAddress.Read(config.mac),
            config.mtu >= DeviceInfo.MinMtu ? config.mtu : (ushort)0,
            config.memory_end,
            id);
        return new ClientConfig(id, info);
    }
}
