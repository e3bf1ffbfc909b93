// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host.Generated;

namespace Qemu.Host;

/// <summary>The first call of QEMU's into a library, and what all libraries do for QEMU: <c>struct dotnet_api</c>.</summary>
/// <remarks>
/// A library has one export of its own, which hands on to <see cref="Start"/>:
/// <code>
/// public static class Exports
/// {
///     [UnmanagedCallersOnly(EntryPoint = QemuLibrary.EntryPoint, CallConvs = [typeof(CallConvCdecl)])]
///     public static int GetApi(uint version, nint host, nint api, nint error)
///         =&gt; QemuLibrary.Start("libedu.so", version, host, api, error, ...);
/// }
/// </code>
/// CoreCLR's host finds an export by its managed name: no other method of that class may have the name.
/// </remarks>
public static class QemuLibrary
{
    /// <summary>The name of the export; <c>DOTNET_GET_API_SYMBOL</c> of <c>interop/dotnet_host_abi.h</c>.</summary>
    public const string EntryPoint = "dotnet_get_api";

    private static nint _api;
    private static QemuInterface[] _interfaces = [];

    /// <summary><c>dotnet_get_api_fn</c>: exchanges the tables that are the same for all libraries. Never throws.</summary>
    /// <param name="name">The library's file name, for messages.</param>
    /// <param name="version">What QEMU was built with.</param>
    /// <param name="host"><c>const struct dotnet_host *</c>.</param>
    /// <param name="api">Becomes the library's table: <c>const struct dotnet_api **</c>.</param>
    /// <param name="error"><c>struct dotnet_error *</c>; says on failure what to install.</param>
    /// <param name="interfaces">What kinds of device the library has. QEMU asks for one by name when it needs it.</param>
    /// <returns>0 or -errno.</returns>
    public static int Start(string name, uint version, nint host, nint api, nint error, params ReadOnlySpan<QemuInterface> interfaces)
    {
        var text = new ErrorText(error);
        try
        {
            if (version != DotnetHostAbi.DOTNET_HOST_ABI_VERSION)
            {
                return text.Refuse(Errno.Protocol, $"{name} has host ABI version {DotnetHostAbi.DOTNET_HOST_ABI_VERSION}, this QEMU needs {version}: install the pair that was built together");
            }

            var table = new HostPointer<dotnet_host>(host);
            if (table.IsNull || api == 0 || table.Value.version != version || table.Value.size != Unsafe.SizeOf<dotnet_host>())
            {
                return text.Refuse(Errno.Protocol, $"this QEMU's table for {name} is not the one of host ABI version {version}: install the pair that was built together");
            }

            if (_api == 0)
            {
                _interfaces = [.. interfaces];
                QemuHost.Current = new QemuHost(table.Value, name);
                _api = CreateTable();
            }

            new HostPointer<nint>(api).Value = _api;
            return 0;
        }
        catch (Exception exception)
        {
            return text.Refuse(Errno.IO, $"{name} could not start: {exception.Message}");
        }
    }

    // SAFETY: the memory is as large as the struct and never freed; the functions have exactly the types of its members.
    private static unsafe nint CreateTable()
    {
        var table = (dotnet_api*)NativeMemory.AllocZeroed((nuint)sizeof(dotnet_api));
        table->version = DotnetHostAbi.DOTNET_HOST_ABI_VERSION;
        table->size = (uint)sizeof(dotnet_api);
        table->fd_ready = &FdReady;
        table->timer_fired = &TimerFired;
        table->get_interface = &GetInterface;
        return (nint)table;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void FdReady(ulong number, int descriptor, uint events)
    {
        bool done = Guard.Run((number, descriptor, events), false, static a =>
        {
            QemuHost.Current.Find<IHostObject>(a.number)?.OnReady(a.descriptor, (FdEvents)a.events);
            return true;
        });
        if (!done)
        {
            // It may still be ready, and would be reported again at once and for ever.
            Guard.Run((number, descriptor), static a => QemuHost.Current.StopWatching(a.number, a.descriptor));
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void TimerFired(ulong number)
        => Guard.Run(number, static number => QemuHost.Current.Find<IHostObject>(number)?.OnTimer());

    // SAFETY: pointers of the shim's, valid for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int GetInterface(sbyte* name, uint version, void* host, void** api, dotnet_error* error)
        => Guard.Run((name: (nint)name, version, host: (nint)host, api: (nint)api), new ErrorText(error), static (a, text) =>
        {
            string name = HostText.Read((sbyte*)a.name) ?? string.Empty;
            return Array.Find(_interfaces, i => i.Name == name) is { } found
                ? found.Open(a.version, a.host, a.api, text)
                : text.Refuse(Errno.NoEntry, $"it has no interface '{name}', only {string.Join(", ", _interfaces.Select(static i => i.Name))}");
        });
}
