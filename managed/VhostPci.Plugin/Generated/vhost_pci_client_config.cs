// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;

namespace VhostPci.Plugin.Generated
{
    public unsafe partial struct vhost_pci_client_config
    {
        [NativeTypeName("const char *")]
        public sbyte* id;

        [NativeTypeName("uint8_t[6]")]
        public _mac_e__FixedBuffer mac;

        [NativeTypeName("uint16_t")]
        public ushort mtu;

        [NativeTypeName("uint32_t")]
        public uint queue_pairs;

        [NativeTypeName("uint8_t[16]")]
        public _uuid_e__FixedBuffer uuid;

        [NativeTypeName("uint64_t")]
        public ulong memory_end;

        [InlineArray(6)]
        public partial struct _mac_e__FixedBuffer
        {
            public byte e0;
        }

        [InlineArray(16)]
        public partial struct _uuid_e__FixedBuffer
        {
            public byte e0;
        }
    }
}
