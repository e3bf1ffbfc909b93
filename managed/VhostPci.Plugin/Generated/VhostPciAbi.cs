// SPDX-License-Identifier: GPL-2.0-or-later
using System;

namespace VhostPci.Plugin.Generated
{
    public static partial class VhostPciAbi
    {
        [NativeTypeName("#define VHOST_PCI_ABI_VERSION 12u")]
        public const uint VHOST_PCI_ABI_VERSION = 12U;

        [NativeTypeName("#define VHOST_PCI_INTERFACE \"vhost-pci\"")]
        public static ReadOnlySpan<byte> VHOST_PCI_INTERFACE => "vhost-pci"u8;

        [NativeTypeName("#define VHOST_PCI_UUID_SIZE 16")]
        public const int VHOST_PCI_UUID_SIZE = 16;

        [NativeTypeName("#define VHOST_PCI_MAC_SIZE 6")]
        public const int VHOST_PCI_MAC_SIZE = 6;

        [NativeTypeName("#define VHOST_PCI_RING_FD_NONE (-1)")]
        public const int VHOST_PCI_RING_FD_NONE = (-1);

        [NativeTypeName("#define VHOST_PCI_RING_FD_KEEP (-2)")]
        public const int VHOST_PCI_RING_FD_KEEP = (-2);
    }
}
