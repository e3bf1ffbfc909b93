// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated.Pci
{
    [NativeTypeName("unsigned int")]
    public enum dotnet_pci_bar_kind : uint
    {
        DOTNET_PCI_BAR_NONE = 0,
        DOTNET_PCI_BAR_IO = 1,
        DOTNET_PCI_BAR_MEMORY32 = 2,
        DOTNET_PCI_BAR_MEMORY64 = 3,
    }
}
