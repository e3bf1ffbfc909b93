// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;

namespace VhostPci.Plugin.Generated
{
    public unsafe partial struct vhost_pci_static_config
    {
        [NativeTypeName("const char *")]
        public sbyte* id;

        [NativeTypeName("const char *")]
        public sbyte* peer_name;

        [NativeTypeName("const char *")]
        public sbyte* bus;

        [NativeTypeName("uint64_t")]
        public ulong window_size;

        [NativeTypeName("uint32_t")]
        public uint slot;

        [NativeTypeName("uint8_t[6]")]
        public _mac_e__FixedBuffer mac;

        [NativeTypeName("uint16_t")]
        public ushort queue_pairs;

        [InlineArray(6)]
        public partial struct _mac_e__FixedBuffer
        {
            public byte e0;
        }
    }
}
