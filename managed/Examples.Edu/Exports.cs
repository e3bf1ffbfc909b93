// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host;
using Qemu.Host.Pci;

namespace Examples.Edu;

/// <summary>The library's only export, and what it has for QEMU.</summary>
public static class Exports
{
    /// <summary>What QEMU calls first.</summary>
    [UnmanagedCallersOnly(EntryPoint = QemuLibrary.EntryPoint, CallConvs = [typeof(CallConvCdecl)])]
    public static int GetApi(uint version, nint host, nint api, nint error)
        => QemuLibrary.Start("libedu.so", version, host, api, error, PciInterface.For(static options => new EduDevice(options)));
}
