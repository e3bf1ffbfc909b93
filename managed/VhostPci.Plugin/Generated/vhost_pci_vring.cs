// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public partial struct vhost_pci_vring
    {
        [NativeTypeName("uint64_t")]
        public ulong desc;

        [NativeTypeName("uint64_t")]
        public ulong avail;

        [NativeTypeName("uint64_t")]
        public ulong used;

        [NativeTypeName("uint32_t")]
        public uint index;

        [NativeTypeName("uint32_t")]
        public uint reserved;
    }
}
