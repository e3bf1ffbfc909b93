// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated
{
    public unsafe partial struct dotnet_host
    {
        [NativeTypeName("uint32_t")]
        public uint version;

        [NativeTypeName("uint32_t")]
        public uint size;

        public void* library;

        [NativeTypeName("void (*)(uint32_t, const char *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<uint, sbyte*, uint, void> log;

        [NativeTypeName("uint32_t (*)(uint32_t)")]
        public delegate* unmanaged[Cdecl]<uint, uint> log_enabled;

        [NativeTypeName("void (*)(void *, uint64_t, int32_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, int, uint, void> watch_fd;

        [NativeTypeName("void (*)(void *, uint64_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, uint, void> arm_timer;

        [NativeTypeName("void (*)(void *, uint64_t, int32_t)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, int, void> close_later;

        [NativeTypeName("uint32_t (*)(void *, uint64_t)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, uint> unclosed;
    }
}
