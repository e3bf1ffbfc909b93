// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Pci;

/// <summary>The interrupt pin of a device (PCI Local Bus 3.0, 6.2.4). A device with one function uses A.</summary>
public enum InterruptPin
{
    /// <summary>It has none.</summary>
    None,

    /// <summary>INTA#.</summary>
    A,

    /// <summary>INTB#.</summary>
    B,

    /// <summary>INTC#.</summary>
    C,

    /// <summary>INTD#.</summary>
    D,
}
