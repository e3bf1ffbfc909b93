// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Pci;

/// <summary>What a device is, before a guest has seen it: its configuration space (PCI Local Bus 3.0, chapter 6).</summary>
/// <remarks>QEMU checks it when the device is realized; what it does not take is an error that names the reason.</remarks>
public sealed class PciDescription
{
    /// <summary>Who has made the device. 0x1234 and 0x1b36 are QEMU's (<c>include/hw/pci/pci.h</c>, <c>docs/specs/pci-ids</c>).</summary>
    public required ushort VendorId { get; init; }

    /// <summary>Which device of that vendor's.</summary>
    public required ushort DeviceId { get; init; }

    /// <summary>Vendor of the board; with <see cref="SubsystemId"/> 0: QEMU's own pair.</summary>
    public ushort SubsystemVendorId { get; init; }

    /// <summary>Which board of that vendor's.</summary>
    public ushort SubsystemId { get; init; }

    /// <summary>Class, subclass and programming interface, 8 bits each; 0xff0000 is a device that fits in no class (appendix D).</summary>
    public int ClassCode { get; init; } = 0xff0000;

    /// <summary>The device's revision.</summary>
    public byte Revision { get; init; }

    /// <summary>The interrupt pin, for <see cref="PciDevice.SetLine"/>.</summary>
    public InterruptPin InterruptPin { get; init; }

    /// <summary>MSI vectors that the guest may enable: none, or a power of two up to 32 (6.8.1).</summary>
    public ushort MsiVectors { get; init; }

    /// <summary>MSI-X vectors: none, or up to 2048 (6.8.2).</summary>
    public ushort MsixVectors { get; init; }

    /// <summary>The BAR that QEMU makes for the table of the MSI-X vectors; it must be free.</summary>
    public ushort MsixBar { get; init; }

    /// <summary>The BARs by their numbers, 0 to 5.</summary>
    public IReadOnlyDictionary<int, PciBar> Bars { get; init; } = new Dictionary<int, PciBar>();
}
