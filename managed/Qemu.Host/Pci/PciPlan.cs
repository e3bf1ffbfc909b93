// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host.Generated.Pci;

namespace Qemu.Host.Pci;

/// <summary>A description as QEMU gets it.</summary>
internal static class PciPlan
{
    internal static dotnet_pci_plan Of(PciDevice model)
    {
        PciDescription description = model.Description;
        var plan = new dotnet_pci_plan
        {
            vendor_id = description.VendorId,
            device_id = description.DeviceId,
            subsystem_vendor_id = description.SubsystemVendorId,
            subsystem_id = description.SubsystemId,
            class_code = (uint)description.ClassCode,
            revision = description.Revision,
            interrupt_pin = (byte)description.InterruptPin,
            msi_vectors = description.MsiVectors,
            msix_vectors = description.MsixVectors,
            msix_bar = description.MsixBar,
            timers = (uint)model.Timers.Count,
        };
        foreach ((int number, PciBar bar) in description.Bars)
        {
            if (number is < 0 or >= DotnetPciAbi.DOTNET_PCI_BARS)
            {
                throw new PciOptionException($"a device has no BAR {number}, but 0 to {DotnetPciAbi.DOTNET_PCI_BARS - 1}");
            }

            plan.bars[number] = new dotnet_pci_bar
            {
                kind = (uint)bar.Kind,
                size = bar.Size,
                prefetchable = bar.Prefetchable ? 1u : 0,
                access_min = (uint)bar.Least,
                access_max = (uint)bar.Most,
            };
        }

        return plan;
    }
}
