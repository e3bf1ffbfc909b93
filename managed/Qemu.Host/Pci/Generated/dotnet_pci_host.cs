// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated.Pci
{
    public unsafe partial struct dotnet_pci_host
    {
        [NativeTypeName("uint32_t")]
        public uint version;

        [NativeTypeName("uint32_t")]
        public uint size;

        [NativeTypeName("void (*)(void *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<void*, uint, void> set_line;

        [NativeTypeName("uint32_t (*)(void *)")]
        public delegate* unmanaged[Cdecl]<void*, uint> vectors;

        [NativeTypeName("int (*)(void *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<void*, uint, int> notify;

        [NativeTypeName("int (*)(void *, uint64_t, void *, uint64_t)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, void*, ulong, int> dma_read;

        [NativeTypeName("int (*)(void *, uint64_t, const void *, uint64_t)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, void*, ulong, int> dma_write;

        [NativeTypeName("int64_t (*)(void)")]
        public delegate* unmanaged[Cdecl]<long> clock;

        [NativeTypeName("void (*)(void *, uint32_t, int64_t)")]
        public delegate* unmanaged[Cdecl]<void*, uint, long, void> arm_timer;
    }
}
