// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated.Pci
{
    public unsafe partial struct dotnet_pci_api
    {
        [NativeTypeName("uint32_t")]
        public uint version;

        [NativeTypeName("uint32_t")]
        public uint size;

        [NativeTypeName("int (*)(void *, const char *, struct dotnet_pci_plan *, uint64_t *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<void*, sbyte*, dotnet_pci_plan*, ulong*, dotnet_error*, int> create;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> destroy;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> reset;

        [NativeTypeName("uint64_t (*)(uint64_t, uint32_t, uint64_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, ulong, uint, ulong> read;

        [NativeTypeName("void (*)(uint64_t, uint32_t, uint64_t, uint64_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, ulong, ulong, uint, void> write;

        [NativeTypeName("void (*)(uint64_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, void> timer;

        [NativeTypeName("uint64_t (*)(void)")]
        public delegate* unmanaged[Cdecl]<ulong> allocated;
    }
}
