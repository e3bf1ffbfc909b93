// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public unsafe partial struct vhost_pci_api
    {
        [NativeTypeName("uint32_t")]
        public uint version;

        [NativeTypeName("uint32_t")]
        public uint size;

        [NativeTypeName("int (*)(const struct vhost_pci_server_config *, struct vhost_pci_bridge_plan *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<vhost_pci_server_config*, vhost_pci_bridge_plan*, dotnet_error*, int> server_plan;

        [NativeTypeName("int (*)(void *, const struct vhost_pci_server_config *, uint64_t *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<void*, vhost_pci_server_config*, ulong*, dotnet_error*, int> server_create;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> server_destroy;

        [NativeTypeName("void (*)(uint64_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, void> server_set_log_level;

        [NativeTypeName("void (*)(uint64_t, struct vhost_pci_server_counters *)")]
        public delegate* unmanaged[Cdecl]<ulong, vhost_pci_server_counters*, void> server_counters;

        [NativeTypeName("int (*)(uint64_t, const struct vhost_pci_static_config *, uint64_t *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<ulong, vhost_pci_static_config*, ulong*, dotnet_error*, int> device_create;

        [NativeTypeName("int (*)(uint64_t, void *, struct vhost_pci_device_plan *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<ulong, void*, vhost_pci_device_plan*, dotnet_error*, int> device_attach;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> device_ready;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> device_detach;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> device_release;

        [NativeTypeName("void (*)(uint64_t, void *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void*, uint, void> device_read_config;

        [NativeTypeName("void (*)(uint64_t, const void *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void*, uint, void> device_write_config;

        [NativeTypeName("void (*)(uint64_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, void> device_set_link;

        [NativeTypeName("void (*)(uint64_t, uint32_t, uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, ulong, void> device_set_status;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> device_window_fault;

        [NativeTypeName("uint32_t (*)(void)")]
        public delegate* unmanaged[Cdecl]<uint> check_windows;

        [NativeTypeName("int (*)(void *, const struct vhost_pci_client_config *, uint64_t *, struct dotnet_error *)")]
        public delegate* unmanaged[Cdecl]<void*, vhost_pci_client_config*, ulong*, dotnet_error*, int> client_create;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> client_destroy;

        [NativeTypeName("void (*)(uint64_t, int32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, int, void> client_connected;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> client_disconnected;

        [NativeTypeName("uint64_t (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, ulong> client_features;

        [NativeTypeName("int (*)(uint64_t, uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, ulong, int> client_set_features;

        [NativeTypeName("void (*)(uint64_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void> client_negotiated;

        [NativeTypeName("int (*)(uint64_t, uint64_t, const uint8_t *)")]
        public delegate* unmanaged[Cdecl]<ulong, ulong, byte*, int> client_driver_state;

        [NativeTypeName("void (*)(uint64_t, const void *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, void*, uint, void> client_frame;

        [NativeTypeName("int (*)(uint64_t, const struct vhost_pci_memory_region *, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, vhost_pci_memory_region*, uint, int> client_set_memory;

        [NativeTypeName("int (*)(uint64_t, uint32_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, uint, int> client_set_vring_num;

        [NativeTypeName("int (*)(uint64_t, uint32_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, uint, int> client_set_vring_base;

        [NativeTypeName("int (*)(uint64_t, const struct vhost_pci_vring *)")]
        public delegate* unmanaged[Cdecl]<ulong, vhost_pci_vring*, int> client_set_vring_addr;

        [NativeTypeName("int (*)(uint64_t, uint32_t, uint32_t, int32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, uint, int, int> client_set_vring_fd;

        [NativeTypeName("int (*)(uint64_t, uint32_t, uint32_t)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, uint, int> client_enable;

        [NativeTypeName("int64_t (*)(uint64_t, uint32_t, uint32_t, void *, void *)")]
        public delegate* unmanaged[Cdecl]<ulong, uint, uint, void*, void*, long> client_get_vring_base;

        [NativeTypeName("int64_t (*)(uint32_t, char *, uint64_t)")]
        public delegate* unmanaged[Cdecl]<uint, sbyte*, ulong, long> report;
    }
}
