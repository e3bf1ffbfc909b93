// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Pci;

/// <summary>The model of a PCI device: derive from it, and <c>-device dotnet-pci,library=FILE</c> puts one into a machine.</summary>
/// <remarks>
/// <para>All calls, in both directions, are made under QEMU's big lock: nothing here is called at the same time as something else.
/// A call must return soon, since meanwhile the VM stands still. A model has no threads; what takes time is a <see cref="VirtualTimer"/>.</para>
/// <para>Offsets, values, addresses: the guest chooses them. An exception does not reach the guest: a read that throws reads as ones,
/// and QEMU's log has it. <see cref="Read"/> and <see cref="Write"/> should allocate nothing; QEMU's property <c>allocated</c> of the device tells.</para>
/// </remarks>
/// <param name="description">What QEMU is to show of the device.</param>
public abstract class PciDevice(PciDescription description) : IHostObject
{
    private readonly List<VirtualTimer> _timers = [];
    private IPciHost? _host;

    /// <summary>What a guest sees of the device.</summary>
    public PciDescription Description { get; } = description;

    /// <summary>The timers in the order in which they were added.</summary>
    public IReadOnlyList<VirtualTimer> Timers => _timers;

    /// <summary>The device's number, for the watches and the timer of <see cref="QemuHost"/>; 0 while it has none.</summary>
    public ulong Number { get; internal set; }

    /// <summary>Time of the guest in nanoseconds. It stands still while the VM is stopped.</summary>
    public long Now => _host?.Now ?? 0;

    /// <summary>Vectors of MSI or MSI-X that the guest has enabled (PCI Local Bus 3.0, 6.8); with 0 it uses the pin: see <see cref="SetLine"/>.</summary>
    protected int EnabledVectors => _host?.EnabledVectors ?? 0;

    /// <summary>A guest reads from a BAR.</summary>
    /// <param name="bar">Number of the BAR.</param>
    /// <param name="offset">Bytes from its start, a multiple of <paramref name="size"/>.</param>
    /// <param name="size">Bytes, as <see cref="PciBar.Least"/> and <see cref="PciBar.Most"/> allow.</param>
    /// <returns>The value; what does not fit into the size is cut off. By custom ones where there is no register.</returns>
    public abstract ulong Read(int bar, ulong offset, int size);

    /// <summary>A guest writes to a BAR.</summary>
    /// <param name="bar">Number of the BAR.</param>
    /// <param name="offset">Bytes from its start, a multiple of <paramref name="size"/>.</param>
    /// <param name="value">The value, below 2 to the power of eight times the size.</param>
    /// <param name="size">Bytes, as <see cref="PciBar.Least"/> and <see cref="PciBar.Most"/> allow.</param>
    public abstract void Write(int bar, ulong offset, ulong value, int size);

    /// <summary>The machine, or the bus, is reset: all registers get their first values. Timers are cancelled and the pin is low already.</summary>
    /// <remarks>Called before a guest sees the device, too; like <see cref="Release"/> it can come within <see cref="TryWriteMemory"/>.</remarks>
    public virtual void Reset()
    {
    }

    /// <summary>The device is unplugged, or could not be realized: give back what it has opened. No call comes after this one.</summary>
    public virtual void Release()
    {
    }

    /// <summary>A descriptor of <see cref="QemuHost.Watch"/> is ready.</summary>
    public virtual void OnReady(int descriptor, FdEvents events)
    {
    }

    /// <summary>The timer of <see cref="QemuHost.ArmTimer"/> has run out.</summary>
    public virtual void OnTimer()
    {
    }

    /// <summary>Connects the device to QEMU, or to a test; null: it is gone, and whatever it asks for from now on does nothing.</summary>
    public void Connect(IPciHost? host) => _host = host;

    internal void ArmTimer(int timer, long deadline) => _host?.ArmTimer(timer, deadline);

    /// <summary>Adds a timer. Only for the constructor: QEMU makes them when the device is realized.</summary>
    /// <param name="expired">Called when it has run out.</param>
    protected VirtualTimer AddTimer(Action expired)
    {
        var timer = new VirtualTimer(this, _timers.Count, expired);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Sets the level of the interrupt pin, which stays as it is until it is set again (<c>pci_set_irq()</c>).</summary>
    protected void SetLine(bool high) => _host?.SetLine(high);

    /// <summary>Sends a message, or keeps it pending while the guest masks its vector (<c>msi_notify()</c>, <c>msix_notify()</c>).</summary>
    /// <remarks>When the guest has enabled fewer MSI vectors than the device has, the upper bits of the number are dropped.</remarks>
    /// <returns>Whether there is such a vector and the guest has enabled messages.</returns>
    protected bool SendMessage(int vector) => _host?.SendMessage(vector) ?? false;

    /// <summary>DMA: reads from the VM's memory (<c>pci_dma_read()</c>).</summary>
    /// <param name="address">On the device's bus, which is the guest's physical address where there is no IOMMU.</param>
    /// <param name="destination">Filled as far as it worked.</param>
    /// <returns>False when any of it failed: no memory there, bus mastering is off, an IOMMU refused it.</returns>
    protected bool TryReadMemory(ulong address, Span<byte> destination) => _host?.TryReadMemory(address, destination) ?? false;

    /// <summary>DMA: writes to the VM's memory (<c>pci_dma_write()</c>).</summary>
    /// <param name="address">On the device's bus, which is the guest's physical address where there is no IOMMU.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>False when any of it failed: no memory there, bus mastering is off, an IOMMU refused it, it was the device's own BAR.</returns>
    protected bool TryWriteMemory(ulong address, ReadOnlySpan<byte> source) => _host?.TryWriteMemory(address, source) ?? false;
}
