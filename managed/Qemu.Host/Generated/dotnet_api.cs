// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated
{
    public unsafe partial struct dotnet_api
    {
        [NativeTypeName("uint32_t")]
        public uint version;

        [NativeTypeName("uint32_t")]
        public uint size;

        [NativeTypeName("void (*)(uint64_t, int32_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, int, uint, void> fd_ready;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> timer_fired;

        [NativeTypeName("int (*)(const char *, uint32_t, const void *, const void **, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<sbyte*, uint, void*, void**, dotnet_error*, int> get_interface;
    }
}
