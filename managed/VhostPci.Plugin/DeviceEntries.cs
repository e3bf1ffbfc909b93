// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VhostPci.Device.Devices;
using VhostPci.Device.Server;
using VhostPci.Linux.Generated;
using VhostPci.Protocol;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> for vhost-pci-net devices.</summary>
internal static unsafe class DeviceEntries
{
    internal static void Fill(vhost_pci_api* api)
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

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Create(ulong number, vhost_pci_static_config* config, ulong* result, vhost_pci_error* error)
    {
        try
        {
            if (PluginState.Current?.Objects.Find<VhostPciServer>(number) is not { } server)
            {
                ErrorText.Write(error, "the vhost-pci-server is gone");
                return Errno.NoEntry;
            }

            _ = MacAddress.TryParse(config->mac, out MacAddress mac);
            var translated = new StaticConfig
            {
                Id = Marshal.PtrToStringUTF8((nint)config->id),
                PeerName = Marshal.PtrToStringUTF8((nint)config->peer_name),
                WindowSize = config->window_size,
                Bus = Marshal.PtrToStringUTF8((nint)config->bus),
                Slot = (int)config->slot,
                QueuePairs = config->queue_pairs,
                Mac = mac,
            };
            if (!server.TryCreateStatic(translated, out MirrorDevice? device, out string reason) || device is null)
            {
                ErrorText.Write(error, reason);
                return Errno.InvalidArgument;
            }

            *result = device.Number;
            return 0;
        }
        catch (Exception exception)
        {
            ErrorText.Write(error, exception.Message);
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Attach(ulong number, void* host, vhost_pci_device_plan* plan, vhost_pci_error* error)
    {
        try
        {
            if (PluginState.Current is not { } state || state.Objects.Find<MirrorDevice>(number) is not { } device)
            {
                ErrorText.Write(error, "a vhost-pci-net is made by a vhost-pci-server when an origin connects");
                return Errno.NoEntry;
            }

            if (!device.TryAttach(new DeviceHost(state.Objects, host), out DevicePlan result, out string reason))
            {
                ErrorText.Write(error, reason);
                return Errno.NoMemory;
            }

            plan->window = (void*)result.Window;
            plan->window_size = result.WindowSize;
            plan->rings = (uint)result.Rings;
            plan->config_size = (uint)result.ConfigSize;
            return 0;
        }
        catch (Exception exception)
        {
            ErrorText.Write(error, exception.Message);
            return PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Ready(ulong number)
    {
        try
        {
            Find(number)?.Ready();
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Detach(ulong number)
    {
        try
        {
            Find(number)?.Detach();
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(ulong number)
    {
        try
        {
            Find(number)?.Release();
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void ReadConfig(ulong number, void* config, uint length)
    {
        try
        {
            var destination = new Span<byte>(config, checked((int)length));
            if (Find(number) is { } device)
            {
                device.ReadConfig(destination);
            }
            else
            {
                destination.Clear();
            }
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void WriteConfig(ulong number, void* config, uint length)
    {
        try
        {
            Find(number)?.WriteConfig(new ReadOnlySpan<byte>(config, checked((int)length)));
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SetLink(ulong number, uint up)
    {
        try
        {
            Find(number)?.SetLink(up != 0);
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SetStatus(ulong number, uint status, ulong bar)
    {
        try
        {
            Find(number)?.SetStatus(status, bar);
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void WindowFault(ulong number)
    {
        try
        {
            Find(number)?.OnWindowFault();
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint CheckWindows()
    {
        try
        {
            return PluginState.Current?.Library.CheckWindows() == true ? 1U : 0U;
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
            return 0;
        }
    }

    private static MirrorDevice? Find(ulong number) => PluginState.Current?.Objects.Find<MirrorDevice>(number);
}
