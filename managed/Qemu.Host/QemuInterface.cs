// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host;

/// <summary>A pair of tables with a name, for one kind of device: what QEMU does for it, and what the library does.</summary>
/// <remarks>Both tables begin with two <c>uint32_t</c>, the version of the interface and the size of the table in bytes.</remarks>
/// <param name="name">By which QEMU asks for it.</param>
/// <param name="version">Must be QEMU's.</param>
/// <param name="hostSize">Size of QEMU's table in bytes.</param>
/// <param name="start">
/// Called once, when QEMU first asks: takes the address of QEMU's table, which stays where it is, and returns that of the library's, which must, too.
/// </param>
public sealed class QemuInterface(string name, uint version, int hostSize, Func<nint, nint> start)
{
    private nint _api;

    /// <summary>By which QEMU asks for it.</summary>
    public string Name { get; } = name;

    internal int Open(uint wanted, nint host, nint api, ErrorText error)
    {
        if (wanted != version)
        {
            return error.Refuse(Errno.Protocol, $"it has ABI version {version} of '{Name}', this QEMU needs {wanted}: install the pair that was built together");
        }

        if (host == 0 || api == 0 || new HostPointer<uint>(host).AsSpan(2) is not [var has, var size] || has != version || size != hostSize)
        {
            return error.Refuse(Errno.Protocol, $"this QEMU's table of '{Name}' is not the one of ABI version {version}: install the pair that was built together");
        }

        _api = _api == 0 ? start(host) : _api;
        new HostPointer<nint>(api).Value = _api;
        return 0;
    }
}
