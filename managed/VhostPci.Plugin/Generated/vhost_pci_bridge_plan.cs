// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public partial struct vhost_pci_bridge_plan
    {
        [NativeTypeName("uint64_t")]
        public ulong pref64_reserve;

        [NativeTypeName("uint64_t")]
        public ulong mem_reserve;

        [NativeTypeName("uint64_t")]
        public ulong ovmf_mmio64_mib;

        [NativeTypeName("uint32_t")]
        public uint bridges;

        [NativeTypeName("uint32_t")]
        public uint reserved;
    }
}
