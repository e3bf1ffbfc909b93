// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public partial struct vhost_pci_bridge_window
    {
        [NativeTypeName("uint64_t")]
        public ulong @base;

        [NativeTypeName("uint64_t")]
        public ulong limit;

        [NativeTypeName("uint32_t")]
        public uint bus;

        [NativeTypeName("uint32_t")]
        public uint reserved;
    }
}
