// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public unsafe partial struct vhost_pci_memory_region
    {
        [NativeTypeName("uint64_t")]
        public ulong guest_address;

        [NativeTypeName("uint64_t")]
        public ulong size;

        [NativeTypeName("uint64_t")]
        public ulong fd_offset;

        [NativeTypeName("int32_t")]
        public int fd;

        [NativeTypeName("int32_t")]
        public int seals;

        [NativeTypeName("const char *")]
        public sbyte* backend;
    }
}
