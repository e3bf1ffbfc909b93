// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public partial struct vhost_pci_ring_files
    {
        [NativeTypeName("int32_t")]
        public int kick;

        [NativeTypeName("int32_t")]
        public int call;
    }
}
