// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using VhostPci.Device.Ports;
using VhostPci.Linux.Generated;

namespace VhostPci.Plugin;

/// <summary>A bridge of the shim's.</summary>
internal sealed unsafe class ServerHost(HostObjects objects, void* server) : IServerHost
{
    public bool TryPlug(ulong device, string? bus, int slot, string id, out string error)
    {
        vhost_pci_error reason = default;
        int result;
        fixed (byte* name = Encode(id), busName = Encode(bus))
        {
            result = objects.Table.plug_device(server, device, (sbyte*)busName, (uint)slot, (sbyte*)name, &reason);
        }

        error = result < 0 ? ErrorText.Read(reason) : string.Empty;
        return result >= 0;
    }

    public BridgeWindow GetWindow(string? bus)
    {
        vhost_pci_bridge_window window = default;
        fixed (byte* name = Encode(bus))
        {
            objects.Table.bridge_window(server, (sbyte*)name, &window);
        }

        return new BridgeWindow(window.@base, window.limit, window.bus);
    }

    private static byte[]? Encode(string? text) => text is null ? null : Encoding.UTF8.GetBytes(text + "\0");
}
