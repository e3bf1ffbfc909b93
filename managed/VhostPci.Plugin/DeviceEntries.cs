// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Server;
using VhostPci.Protocol;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> for vhost-pci-net devices.</summary>
internal static class DeviceEntries
{
    // SAFETY: the table is ours and not yet anybody's.
    internal static unsafe void Fill(vhost_pci_api* api)
    {
        api->device_create = &Create;
        api->device_attach = &Attach;
        api->device_ready = &Ready;
        api->device_detach = &Detach;
        api->device_release = &Release;
        api->device_read_config = &ReadConfig;
        api->device_write_config = &WriteConfig;
        api->device_set_link = &SetLink;
        api->device_set_status = &SetStatus;
        api->device_window_fault = &WindowFault;
        api->check_windows = &CheckWindows;
    }

    // SAFETY: what the shim points at is valid for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Create(ulong number, vhost_pci_static_config* config, ulong* result, dotnet_error* error)
        => Guard.Run((number, config: HostPointer.To(config), result: HostPointer.To(result)), new ErrorText(error), static (a, text) =>
        {
            if (Plugin.Find<VhostPciServer>(a.number) is not { } server)
            {
                return text.Refuse(Errno.NoEntry, "the vhost-pci-server is gone");
            }

            if (!server.TryCreateStatic(Translate(in a.config.Value), out MirrorDevice? device, out string reason) || device is null)
            {
                return text.Refuse(Errno.InvalidArgument, reason);
            }

            a.result.Value = device.Number;
            return 0;
        });

    // SAFETY: what the shim points at is valid for the call, and host until the device is detached.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Attach(ulong number, void* host, vhost_pci_device_plan* plan, dotnet_error* error)
        => Guard.Run((number, host: (nint)host, plan: HostPointer.To(plan)), new ErrorText(error), static (a, text) =>
        {
            if (Find(a.number) is not { } device)
            {
                return text.Refuse(Errno.NoEntry, "a vhost-pci-net is made by a vhost-pci-server when an origin connects");
            }

            if (!device.TryAttach(new DeviceHost(Plugin.Current.Host, (void*)a.host), out DevicePlan result, out string reason))
            {
                return text.Refuse(Errno.NoMemory, reason);
            }

            a.plan.Value = new vhost_pci_device_plan
            {
                window = (void*)result.Window,
                window_size = result.WindowSize,
                rings = (uint)result.Rings,
                config_size = (uint)result.ConfigSize,
            };
            return 0;
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Ready(ulong number) => Guard.Run(number, static number => Find(number)?.Ready());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Detach(ulong number) => Guard.Run(number, static number => Find(number)?.Detach());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(ulong number) => Guard.Run(number, static number => Find(number)?.Release());

    // SAFETY: length bytes that are the shim's, for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void ReadConfig(ulong number, void* config, uint length)
        => Guard.Run((number, config: HostPointer.To((byte*)config), length), static a =>
        {
            Span<byte> destination = a.config.AsSpan(a.length);
            if (Find(a.number) is { } device)
            {
                device.ReadConfig(destination);
            }
            else
            {
                destination.Clear();
            }
        });

    // SAFETY: length bytes that are the shim's, for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void WriteConfig(ulong number, void* config, uint length)
        => Guard.Run((number, config: HostPointer.To((byte*)config), length), static a => Find(a.number)?.WriteConfig(a.config.AsSpan(a.length)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SetLink(ulong number, uint up) => Guard.Run((number, up), static a => Find(a.number)?.SetLink(a.up != 0));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SetStatus(ulong number, uint status, ulong bar)
        => Guard.Run((number, status, bar), static a => Find(a.number)?.SetStatus(a.status, a.bar));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void WindowFault(ulong number) => Guard.Run(number, static number => Find(number)?.OnWindowFault());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint CheckWindows() => Guard.Run(0, 0U, static _ => Plugin.Current.Library.CheckWindows() ? 1U : 0U);

    private static MirrorDevice? Find(ulong number) => Plugin.Find<MirrorDevice>(number);

    // SAFETY: its strings are the shim's, as the whole of it.
    private static unsafe StaticConfig Translate(in vhost_pci_static_config config)
    {
        return new StaticConfig
        {
            Id = HostText.Read(config.id),
            PeerName = HostText.Read(config.peer_name),
            WindowSize = config.window_size,
            Bus = HostText.Read(config.bus),
            Slot = (int)config.slot,
            QueuePairs = config.queue_pairs,
            Options = new NetOptions(MacAddress.Read(config.mac)),
        };
    }
}
