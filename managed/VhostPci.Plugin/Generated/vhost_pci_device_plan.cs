// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public unsafe partial struct vhost_pci_device_plan
    {
        public void* window;

        [NativeTypeName("uint64_t")]
        public ulong window_size;

        [NativeTypeName("uint32_t")]
        public uint rings;

        [NativeTypeName("uint32_t")]
        public uint config_size;
    }
}
