// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host;
using VhostPci.Device.Ports;

namespace VhostPci.Plugin;

/// <summary>A vhost-pci-net of the shim's.</summary>
// SAFETY: for the whole class: the device is the shim's and there until it is detached, after which nobody has this object any more;
// the table's functions take what they point at for the call only.
internal sealed unsafe class DeviceHost(HostAdapter host, void* device) : IDeviceHost
{
    public bool TryUnplug(out string error)
    {
        dotnet_error reason = default;
        int result = host.Table.unplug_device(device, &reason);
        error = result < 0 ? HostText.Read(reason) : string.Empty;
        return result >= 0;
    }

    public void NotifyConfigChanged() => host.Table.config_changed(device);

    public bool Bind(int ring, RingEndpoint endpoint, int descriptor)
        => host.Table.bind_ring(device, (uint)ring, (uint)endpoint, descriptor) >= 0;

    public bool BindAll(ReadOnlySpan<RingFiles> files)
    {
        Span<vhost_pci_ring_files> translated = stackalloc vhost_pci_ring_files[files.Length];
        for (int i = 0; i < files.Length; i++)
        {
            translated[i] = new vhost_pci_ring_files { kick = files[i].Kick, call = files[i].Call };
        }

        fixed (vhost_pci_ring_files* pointer = translated)
        {
            return host.Table.bind_rings(device, pointer, (uint)files.Length) >= 0;
        }
    }

    public bool TakeWindowFault() => host.Table.take_window_fault(device) != 0;

    public void RaiseRing(int ring) => host.Table.raise_ring(device, (uint)ring);

    public RingCounters GetCounters(int ring)
    {
        vhost_pci_ring_counters counters = default;
        host.Table.ring_counters(device, (uint)ring, &counters);
        return new RingCounters(counters.kicks, counters.interrupts, counters.doorbells);
    }
}
