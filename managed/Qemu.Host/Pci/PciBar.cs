// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Pci;

/// <summary>One base address register: a range of addresses whose accesses come to the device (PCI Local Bus 3.0, 6.2.5.1).</summary>
/// <param name="Kind">The address space, and in how many bits of it.</param>
/// <param name="Size">Bytes, a power of two: 4 to 256 for I/O, from 16 for memory.</param>
/// <param name="Least">Bytes of the smallest access that reaches the device: 1, 2, 4 or 8. QEMU refuses smaller ones: they read 0 and write nothing.</param>
/// <param name="Most">Bytes of the largest access that reaches the device; 8 only for memory. QEMU cuts larger ones into pieces.</param>
/// <param name="Prefetchable">For memory: reading has no side effect.</param>
/// <remarks>Accesses come aligned to their size, in little endian, as <c>MemoryRegionOps</c> of QEMU's <c>include/exec/memory.h</c> has them.</remarks>
public sealed record PciBar(PciBarKind Kind, ulong Size, int Least = 1, int Most = 4, bool Prefetchable = false);

/// <summary>Where a BAR is.</summary>
public enum PciBarKind
{
    /// <summary>I/O ports.</summary>
    IO = 1,

    /// <summary>Memory below 4 GiB.</summary>
    Memory32 = 2,

    /// <summary>Memory anywhere; the number after it is taken, too.</summary>
    Memory64 = 3,
}
