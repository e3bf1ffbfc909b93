// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;

namespace Qemu.Host.Generated.Pci
{
    public partial struct dotnet_pci_plan
    {
        [NativeTypeName("uint16_t")]
        public ushort vendor_id;

        [NativeTypeName("uint16_t")]
        public ushort device_id;

        [NativeTypeName("uint16_t")]
        public ushort subsystem_vendor_id;

        [NativeTypeName("uint16_t")]
        public ushort subsystem_id;

        [NativeTypeName("uint32_t")]
        public uint class_code;

        [NativeTypeName("uint8_t")]
        public byte revision;

        [NativeTypeName("uint8_t")]
        public byte interrupt_pin;

        [NativeTypeName("uint16_t")]
        public ushort msi_vectors;

        [NativeTypeName("uint16_t")]
        public ushort msix_vectors;

        [NativeTypeName("uint16_t")]
        public ushort msix_bar;

        [NativeTypeName("uint32_t")]
        public uint timers;

        [NativeTypeName("struct dotnet_pci_bar[6]")]
        public _bars_e__FixedBuffer bars;

        [InlineArray(6)]
        public partial struct _bars_e__FixedBuffer
        {
            public dotnet_pci_bar e0;
        }
    }
}
