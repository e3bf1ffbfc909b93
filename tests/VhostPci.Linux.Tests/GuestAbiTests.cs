// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Linux.Tests;

/// <summary><see cref="GuestAbi"/> against what the C compiler makes of <c>vhost_pci_guest_abi.h</c>.</summary>
public sealed class GuestAbiTests
{
    [Fact]
    public void NumbersAreThoseOfTheCompiler()
    {
        const string config = "offsetof(struct vhost_pci_config, {0})";
        const string net = "offsetof(struct vhost_pci_net_config, {0})";
        const string ring = "offsetof(struct vhost_pci_ring, {0})";
        (string C, long Managed)[] pairs =
        [
            ("VIRTIO_ID_VHOST_PCI_NET", NetGuestAbi.DeviceId),
            ("VHOST_PCI_CLASS_NET", VirtioDeviceId.Net),
            ("VHOST_PCI_CONFIG_VERSION", GuestAbi.ConfigVersion),
            ("VHOST_PCI_DOORBELL_BAR", GuestAbi.DoorbellBar),
            ("VHOST_PCI_DOORBELL_STRIDE", GuestAbi.DoorbellStride),
            ("VHOST_PCI_WINDOW_BAR", GuestAbi.WindowBar),
            ("VHOST_PCI_WINDOW_SHMID", GuestAbi.WindowSharedMemoryId),
            ("VHOST_PCI_MAX_RINGS", GuestAbi.MaxRings),
            ("VHOST_PCI_LINK_UP", GuestAbi.LinkUp),
            ("VHOST_PCI_DRIVER_DOWN", GuestAbi.DriverDown),
            ("VHOST_PCI_RING_ENABLED", GuestAbi.RingEnabled),
            (string.Format(null, config, "version"), GuestAbi.Config.Version),
            (string.Format(null, config, "epoch"), GuestAbi.Config.Epoch),
            (string.Format(null, config, "ack"), GuestAbi.Config.Ack),
            (string.Format(null, config, "driver"), GuestAbi.Config.Driver),
            (string.Format(null, config, "accept"), GuestAbi.Config.Accept),
            (string.Format(null, config, "features"), GuestAbi.Config.Features),
            (string.Format(null, config, "window_base"), GuestAbi.Config.WindowBase),
            (string.Format(null, config, "window_size"), GuestAbi.Config.WindowSize),
            (string.Format(null, config, "link"), GuestAbi.Config.Link),
            (string.Format(null, config, "ring_offset"), GuestAbi.Config.RingOffset),
            (string.Format(null, config, "ring_entry"), GuestAbi.Config.RingEntry),
            (string.Format(null, config, "ring_count"), GuestAbi.Config.RingCount),
            (string.Format(null, config, "device_class"), GuestAbi.Config.DeviceClass),
            (string.Format(null, config, "device_config_offset"), GuestAbi.Config.DeviceConfigOffset),
            (string.Format(null, config, "device_config_size"), GuestAbi.Config.DeviceConfigSize),
            (string.Format(null, config, "reserved"), GuestAbi.Config.Reserved),
            ("sizeof(struct vhost_pci_config)", GuestAbi.Config.Size),
            (string.Format(null, net, "mac"), NetGuestAbi.Config.Mac),
            (string.Format(null, net, "mtu"), NetGuestAbi.Config.Mtu),
            (string.Format(null, net, "origin_mac"), NetGuestAbi.Config.OriginMac),
            (string.Format(null, net, "queue_pairs"), NetGuestAbi.Config.QueuePairs),
            (string.Format(null, net, "announce"), NetGuestAbi.Config.Announce),
            (string.Format(null, net, "reserved"), NetGuestAbi.Config.Reserved),
            ("sizeof(struct vhost_pci_net_config)", NetGuestAbi.Config.Size),
            (string.Format(null, ring, "desc"), GuestAbi.Ring.Desc),
            (string.Format(null, ring, "avail"), GuestAbi.Ring.Avail),
            (string.Format(null, ring, "used"), GuestAbi.Ring.Used),
            (string.Format(null, ring, "size"), GuestAbi.Ring.Entries),
            (string.Format(null, ring, "flags"), GuestAbi.Ring.Flags),
            ("sizeof(struct vhost_pci_ring)", GuestAbi.Ring.Size),
        ];

        string program = "#include <stddef.h>\n#include <stdio.h>\n#include \"vhost_pci_guest_abi.h\"\nint main(void)\n{\n"
            + string.Concat(pairs.Select(static p => $"printf(\"%s %lu\\n\", \"{p.C}\", (unsigned long)({p.C}));\n"))
            + "return 0;\n}\n";

        Assert.Equal(
            CProgram.Run(program).Split('\n', StringSplitOptions.RemoveEmptyEntries),
            pairs.Select(static p => $"{p.C} {p.Managed}"));
    }
}
