// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public unsafe partial struct vhost_pci_server_config
    {
        [NativeTypeName("const char *")]
        public sbyte* id;

        [NativeTypeName("const char *")]
        public sbyte* socket_path;

        [NativeTypeName("const char *")]
        public sbyte* allow_uid;

        [NativeTypeName("const char *")]
        public sbyte* slot_buses;

        [NativeTypeName("const char *")]
        public sbyte* dump;

        [NativeTypeName("int32_t")]
        public int listen_fd;

        [NativeTypeName("uint32_t")]
        public uint connections;

        [NativeTypeName("uint64_t")]
        public ulong slot_size;

        [NativeTypeName("uint64_t")]
        public ulong max_memory;

        [NativeTypeName("uint32_t")]
        public uint phys_bits;

        [NativeTypeName("uint32_t")]
        public uint allow_unsealed;

        [NativeTypeName("uint32_t")]
        public uint slots;

        [NativeTypeName("uint32_t")]
        public uint log_level;

        [NativeTypeName("uint32_t")]
        public uint uid;

        [NativeTypeName("uint32_t")]
        public uint unplug_delay;

        [NativeTypeName("uint32_t")]
        public uint queues_max;

        [NativeTypeName("uint32_t")]
        public uint plug_rate;
    }
}
