// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated.Pci
{
    public partial struct dotnet_pci_bar
    {
        [NativeTypeName("uint64_t")]
        public ulong size;

        [NativeTypeName("uint32_t")]
        public uint kind;

        [NativeTypeName("uint32_t")]
        public uint prefetchable;

        [NativeTypeName("uint32_t")]
        public uint access_min;

        [NativeTypeName("uint32_t")]
        public uint access_max;
    }
}
