// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using VhostPci.Device.Ports;
using VhostPci.Interop.Generated;

namespace VhostPci.Plugin;

/// <summary>A bridge of the shim's.</summary>
internal sealed unsafe class ServerHost(HostObjects objects, void* server) : IServerHost
{
    public bool TryPlug(ulong device, int slot, string id, out string error)
    {
        vhost_pci_error reason = default;
        int result;
        fixed (byte* name = Encoding.UTF8.GetBytes(id + "\0"))
        {
            result = objects.Table.plug_device(server, device, (uint)slot, (sbyte*)name, &reason);
        }

        error = result < 0 ? ErrorText.Read(reason) : string.Empty;
        return result >= 0;
    }

    public BridgeWindow GetWindow()
    {
        vhost_pci_bridge_window window = default;
        objects.Table.bridge_window(server, &window);
        return new BridgeWindow(window.@base, window.limit);
    }
}
