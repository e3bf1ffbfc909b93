// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Qemu.Host.Generated;
using VhostPci.Plugin.Generated;

namespace VhostPci.Plugin.Tests;

/// <summary>The library in its two builds: in this process as the JIT makes it, and the one that ships, from build/.</summary>
public static unsafe class Library
{
    private static readonly Dictionary<string, (nint Lower, nint Upper)> Tables = [];

    /// <summary>Names for theories.</summary>
    public static TheoryData<string> Builds => ["jit", "native"];

    internal static vhost_pci_api* Get(string build)
    {
        if (!Tables.TryGetValue(build, out (nint Lower, nint Upper) tables))
        {
            nint lower = Load(build);
            Tables[build] = tables = (lower, Open((dotnet_api*)lower));
        }

        Host.Lower = (dotnet_api*)tables.Lower;
        Host.Api = (vhost_pci_api*)tables.Upper;
        return Host.Api;
    }

    private static nint Load(string build)
    {
        delegate* unmanaged[Cdecl]<uint, nint, nint, nint, int> getApi = &Exports.GetApi;
        if (build == "native")
        {
            string path = Environment.GetEnvironmentVariable("VHOST_PCI_LIBRARY") ?? Path.Combine(Root(), "build/libvhostpci.so");
            Assert.SkipUnless(File.Exists(path), $"{path} is not there: ./vhost-pci build managed");
            getApi = (delegate* unmanaged[Cdecl]<uint, nint, nint, nint, int>)NativeLibrary.GetExport(NativeLibrary.Load(path), "dotnet_get_api");
        }

        dotnet_api* api = null;
        dotnet_error error = default;

        // What a pair that does not fit gets to hear.
        Assert.Equal(-71, getApi(DotnetHostAbi.DOTNET_HOST_ABI_VERSION + 1, 0, 0, (nint)(&error)));
        Assert.Contains("ABI version", Text(&error), StringComparison.Ordinal);
        Assert.Equal(-71, getApi(DotnetHostAbi.DOTNET_HOST_ABI_VERSION, 0, (nint)(&api), (nint)(&error)));
        Assert.Equal(-71, getApi(DotnetHostAbi.DOTNET_HOST_ABI_VERSION, 0, 0, 0));

        int result = getApi(DotnetHostAbi.DOTNET_HOST_ABI_VERSION, (nint)Host.NewLowerTable(), (nint)(&api), (nint)(&error));
        Assert.SkipWhen(build == "native" && result == -71, "build/libvhostpci.so has another ABI: ./vhost-pci build managed");
        Assert.Equal(0, result);
        Assert.Equal((uint)sizeof(dotnet_api), api->size);
        return (nint)api;
    }

    private static nint Open(dotnet_api* lower)
    {
        void* api = null;
        dotnet_error error = default;
        fixed (byte* name = VhostPciAbi.VHOST_PCI_INTERFACE, another = "vhost-pci-blk"u8)
        {
            Assert.Equal(-2, lower->get_interface((sbyte*)another, VhostPciAbi.VHOST_PCI_ABI_VERSION, Host.NewTable(), &api, &error));
            Assert.Contains("'vhost-pci-blk', only vhost-pci", Text(&error), StringComparison.Ordinal);
            Assert.Equal(-71, lower->get_interface((sbyte*)name, VhostPciAbi.VHOST_PCI_ABI_VERSION + 1, Host.NewTable(), &api, &error));
            Assert.Contains("ABI version", Text(&error), StringComparison.Ordinal);
            Assert.Equal(-71, lower->get_interface((sbyte*)name, VhostPciAbi.VHOST_PCI_ABI_VERSION, null, &api, &error));
            Assert.Equal(0, lower->get_interface((sbyte*)name, VhostPciAbi.VHOST_PCI_ABI_VERSION, Host.NewTable(), &api, &error));
        }

        Assert.Equal((uint)sizeof(vhost_pci_api), ((vhost_pci_api*)api)->size);
        return (nint)api;
    }

    internal static string Text(dotnet_error* error) => Marshal.PtrToStringUTF8((nint)error) ?? string.Empty;

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "VhostPciPlugin.sln")))
        {
            folder = Path.GetDirectoryName(folder.TrimEnd('/')) ?? throw new InvalidOperationException("not in a checkout");
        }

        return folder;
    }
}
