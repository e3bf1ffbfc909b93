// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Generated;

namespace VhostPci.Plugin;

/// <summary>A vhost-pci-net of the shim's.</summary>
internal sealed unsafe class DeviceHost(HostObjects objects, void* device) : IDeviceHost
{
    public bool TryUnplug(out string error)
    {
        vhost_pci_error reason = default;
        int result = objects.Table.unplug_device(device, &reason);
        error = result < 0 ? ErrorText.Read(reason) : string.Empty;
        return result >= 0;
    }

    public void NotifyConfigChanged() => objects.Table.config_changed(device);

    public bool Bind(int ring, RingEndpoint endpoint, int descriptor)
        => objects.Table.bind_ring(device, (uint)ring, (uint)endpoint, descriptor) >= 0;

    public bool BindAll(ReadOnlySpan<RingFiles> files)
    {
        Span<vhost_pci_ring_files> translated = stackalloc vhost_pci_ring_files[files.Length];
        for (int i = 0; i < files.Length; i++)
        {
            translated[i] = new vhost_pci_ring_files { kick = files[i].Kick, call = files[i].Call };
        }

        fixed (vhost_pci_ring_files* pointer = translated)
        {
            return objects.Table.bind_rings(device, pointer, (uint)files.Length) >= 0;
        }
    }

    public bool TakeWindowFault() => objects.Table.take_window_fault(device) != 0;

    public void RaiseRing(int ring) => objects.Table.raise_ring(device, (uint)ring);

    public RingCounters GetCounters(int ring)
    {
        vhost_pci_ring_counters counters = default;
        objects.Table.ring_counters(device, (uint)ring, &counters);
        return new RingCounters(counters.kicks, counters.interrupts, counters.doorbells);
    }
}
