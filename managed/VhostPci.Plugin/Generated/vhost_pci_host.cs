// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public unsafe partial struct vhost_pci_host
    {
        [NativeTypeName("uint32_t")]
        public uint version;

        [NativeTypeName("uint32_t")]
        public uint size;

        [NativeTypeName("void (*)(uint32_t, uint64_t, uint64_t, uint64_t)")]
        public delegate* unmanaged[Cdecl]<uint, ulong, ulong, ulong, void> trace;

        [NativeTypeName("int (*)(void *, uint64_t, const char *, uint32_t, const char *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, sbyte*, uint, sbyte*, dotnet_error*, int> plug_device;

        [NativeTypeName("void (*)(void *, const char *, struct vhost_pci_bridge_window *)")]
        public delegate* unmanaged[Cdecl]<void*, sbyte*, vhost_pci_bridge_window*, void> bridge_window;

        [NativeTypeName("int (*)(void *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<void*, dotnet_error*, int> unplug_device;

        [NativeTypeName("void (*)(void *)")]
        public delegate* unmanaged[Cdecl]<void*, void> config_changed;

        [NativeTypeName("int (*)(void *, uint32_t, uint32_t, int32_t)")]
        public delegate* unmanaged[Cdecl]<void*, uint, uint, int, int> bind_ring;

        [NativeTypeName("int (*)(void *, const struct vhost_pci_ring_files *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<void*, vhost_pci_ring_files*, uint, int> bind_rings;

        [NativeTypeName("void (*)(void *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<void*, uint, void> raise_ring;

        [NativeTypeName("void (*)(void *, uint32_t, struct vhost_pci_ring_counters *)")]
        public delegate* unmanaged[Cdecl]<void*, uint, vhost_pci_ring_counters*, void> ring_counters;

        [NativeTypeName("uint32_t (*)(void *)")]
        public delegate* unmanaged[Cdecl]<void*, uint> take_window_fault;

        [NativeTypeName("void (*)(void *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<void*, uint, void> client_link;

        [NativeTypeName("uint64_t (*)(void *)")]
        public delegate* unmanaged[Cdecl]<void*, ulong> client_driver_features;

        [NativeTypeName("void (*)(void *, uint64_t)")]
        public delegate* unmanaged[Cdecl]<void*, ulong, void> client_offer;

        [NativeTypeName("void (*)(void *)")]
        public delegate* unmanaged[Cdecl]<void*, void> client_ask_for_reset;

        [NativeTypeName("void (*)(void *)")]
        public delegate* unmanaged[Cdecl]<void*, void> client_disconnect;
    }
}
