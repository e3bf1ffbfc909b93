// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VhostPci.Linux.Generated;

namespace VhostPci.Plugin;

/// <summary>The library's only export.</summary>
/// <remarks>CoreCLR's host finds an export by its managed name: no other method may have the name of one.</remarks>
public static unsafe class Exports
{
    private static vhost_pci_api* _api;

    /// <summary><c>vhost_pci_get_api_fn</c> of <c>interop/vhost_pci_abi.h</c>.</summary>
    [UnmanagedCallersOnly(EntryPoint = "vhost_pci_get_api", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetApi(uint version, nint host, nint api, nint error)
    {
        try
        {
            return Start(version, (vhost_pci_host*)host, (vhost_pci_api**)api, (vhost_pci_error*)error);
        }
        catch (Exception exception)
        {
            ErrorText.Write((vhost_pci_error*)error, $"libvhostpci.so could not start: {exception.Message}");
            return PluginState.Fault(exception);
        }
    }

    private static int Start(uint version, vhost_pci_host* host, vhost_pci_api** api, vhost_pci_error* error)
    {
        long start = Stopwatch.GetTimestamp();
        if (version != VhostPciAbi.VHOST_PCI_ABI_VERSION)
        {
            ErrorText.Write(error, $"libvhostpci.so has ABI version {VhostPciAbi.VHOST_PCI_ABI_VERSION}, this QEMU needs {version}: install the pair that was built together");
            return Errno.Protocol;
        }

        if (host == null || api == null || host->version != version || host->size != sizeof(vhost_pci_host))
        {
            ErrorText.Write(error, $"this QEMU's table for libvhostpci.so is not the one of ABI version {version}: install the pair that was built together");
            return Errno.Protocol;
        }

        if (PluginState.Current is null)
        {
            PluginState.Current = new PluginState(new HostObjects(*host));
            _api = CreateTable();
            PluginState.Current.FirstCallMicroseconds = (long)Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }

        *api = _api;
        return 0;
    }

    private static vhost_pci_api* CreateTable()
    {
        var table = (vhost_pci_api*)NativeMemory.AllocZeroed((nuint)sizeof(vhost_pci_api));
        table->version = VhostPciAbi.VHOST_PCI_ABI_VERSION;
        table->size = (uint)sizeof(vhost_pci_api);
        CommonEntries.Fill(table);
        ServerEntries.Fill(table);
        DeviceEntries.Fill(table);
        ClientEntries.Fill(table);
        return table;
    }
}
