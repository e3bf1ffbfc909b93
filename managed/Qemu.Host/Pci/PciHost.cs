// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host.Generated.Pci;

namespace Qemu.Host.Pci;

/// <summary>QEMU's half of one device.</summary>
// SAFETY: the table is QEMU's and stays for ever. QEMU keeps the device valid until destroy() returns, and PciEntries disconnects the
// model from this object before that. Spans are pinned for the call, and their lengths go with them.
internal sealed unsafe class PciHost(nint table, nint device) : IPciHost
{
    private readonly dotnet_pci_host* _table = (dotnet_pci_host*)table;
    private readonly void* _device = (void*)device;

    public int EnabledVectors => (int)_table->vectors(_device);

    public long Now => _table->clock();

    public void SetLine(bool high) => _table->set_line(_device, high ? 1u : 0);

    public bool SendMessage(int vector) => vector >= 0 && _table->notify(_device, (uint)vector) >= 0;

    public bool TryReadMemory(ulong address, Span<byte> destination)
    {
        fixed (byte* start = destination)
        {
            return _table->dma_read(_device, address, start, (ulong)destination.Length) >= 0;
        }
    }

    public bool TryWriteMemory(ulong address, ReadOnlySpan<byte> source)
    {
        fixed (byte* start = source)
        {
            return _table->dma_write(_device, address, start, (ulong)source.Length) >= 0;
        }
    }

    public void ArmTimer(int timer, long deadline) => _table->arm_timer(_device, (uint)timer, deadline);
}
