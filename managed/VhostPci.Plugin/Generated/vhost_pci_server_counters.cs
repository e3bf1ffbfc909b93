// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public partial struct vhost_pci_server_counters
    {
        [NativeTypeName("uint64_t")]
        public ulong accepted;

        [NativeTypeName("uint64_t")]
        public ulong refused;

        [NativeTypeName("uint64_t")]
        public ulong messages;

        [NativeTypeName("uint64_t")]
        public ulong connections;

        [NativeTypeName("uint64_t")]
        public ulong devices;
    }
}
