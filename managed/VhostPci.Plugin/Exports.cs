// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host;

namespace VhostPci.Plugin;

/// <summary>The library's only export.</summary>
/// <remarks>CoreCLR's host finds an export by its managed name: no other method may have the name of one.</remarks>
public static class Exports
{
    private static readonly QemuInterface Interface = Plugin.CreateInterface();

    /// <summary><c>dotnet_get_api_fn</c> of <c>interop/dotnet_host_abi.h</c>.</summary>
    [UnmanagedCallersOnly(EntryPoint = QemuLibrary.EntryPoint, CallConvs = [typeof(CallConvCdecl)])]
    public static int GetApi(uint version, nint host, nint api, nint error)
        => QemuLibrary.Start("libvhostpci.so", version, host, api, error, Interface);
}
