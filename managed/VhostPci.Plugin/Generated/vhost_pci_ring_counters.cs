// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Plugin.Generated
{
    public partial struct vhost_pci_ring_counters
    {
        [NativeTypeName("uint64_t")]
        public ulong kicks;

        [NativeTypeName("uint64_t")]
        public ulong interrupts;

        [NativeTypeName("uint64_t")]
        public ulong doorbells;
    }
}
