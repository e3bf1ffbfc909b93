// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host;
using VhostPci.Device.Ports;

namespace VhostPci.Plugin;

/// <summary>A server of the shim's: a bridge.</summary>
// SAFETY: for the whole class: the server is the shim's and there until server_destroy returns, after which nobody has this object any more;
// the table's functions take strings and results for the call only.
internal sealed unsafe class ServerHost(HostAdapter host, void* server) : IServerHost
{
    public bool TryPlug(ulong device, string? bus, int slot, string id, out string error)
    {
        dotnet_error reason = default;
        int result;
        fixed (byte* name = HostText.Encode(id), busName = HostText.Encode(bus))
        {
            result = host.Table.plug_device(server, device, (sbyte*)busName, (uint)slot, (sbyte*)name, &reason);
        }

        error = result < 0 ? HostText.Read(reason) : string.Empty;
        return result >= 0;
    }

    public BridgeWindow GetWindow(string? bus)
    {
        vhost_pci_bridge_window window = default;
        fixed (byte* name = HostText.Encode(bus))
        {
            host.Table.bridge_window(server, (sbyte*)name, &window);
        }

        return new BridgeWindow(window.@base, window.limit, window.bus);
    }
}
