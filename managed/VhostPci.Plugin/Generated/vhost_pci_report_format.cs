// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    [NativeTypeName("unsigned int")]
    public enum vhost_pci_report_format : uint
    {
        VHOST_PCI_REPORT_TEXT = 0,
        VHOST_PCI_REPORT_JSON = 1,
        VHOST_PCI_REPORT_VERBOSE = 2,
    }
}
