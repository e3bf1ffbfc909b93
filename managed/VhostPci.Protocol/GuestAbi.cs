// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>What the mirror's guest driver sees: the numbers of <c>interop/vhost_pci_guest_abi.h</c>.</summary>
/// <remarks>
/// All fields are little-endian. <c>tests/VhostPci.Linux.Tests</c> compares each number with what a C compiler makes of the header.
/// </remarks>
public static class GuestAbi
{
    /// <summary>virtio device id of vhost-pci-net.</summary>
    public const ushort DeviceId = 63;

    /// <summary>Version of the configuration layout.</summary>
    public const uint ConfigVersion = 1;

    /// <summary>BAR with the doorbells.</summary>
    public const int DoorbellBar = 0;

    /// <summary>Bytes from one ring's doorbell to the next.</summary>
    public const int DoorbellStride = 4;

    /// <summary>BAR with the memory window.</summary>
    public const int WindowBar = 2;

    /// <summary>Id of the window as a virtio shared-memory region.</summary>
    public const int WindowSharedMemoryId = 0;

    /// <summary>The greatest number of rings.</summary>
    public const int MaxRings = 64;

    /// <summary>The greatest number of ring pairs.</summary>
    public const int MaxQueuePairs = MaxRings / 2;

    /// <summary>In <see cref="Config.Link"/>: rings and memory may be used.</summary>
    public const uint LinkUp = 1;

    /// <summary>In <see cref="Config.Driver"/>: the interface is down, nobody takes packets.</summary>
    public const uint DriverDown = 1;

    /// <summary>In <see cref="Ring.Flags"/>: the ring may be used.</summary>
    public const uint RingEnabled = 1;

    /// <summary>Byte offsets in <c>struct vhost_pci_net_config</c>.</summary>
    public static class Config
    {
        /// <summary>u32: <see cref="ConfigVersion"/>.</summary>
        public const int Version = 0x00;

        /// <summary>u32: which step the content is of.</summary>
        public const int Epoch = 0x04;

        /// <summary>u32, written by the driver: the epoch that it has adopted.</summary>
        public const int Ack = 0x08;

        /// <summary>u32: <see cref="LinkUp"/> or 0.</summary>
        public const int Link = 0x0c;

        /// <summary>6 bytes: address of the mirror's interface.</summary>
        public const int Mac = 0x10;

        /// <summary>u16: bytes; 0 when not known.</summary>
        public const int Mtu = 0x16;

        /// <summary>6 bytes: address of the origin's interface; zero when not known.</summary>
        public const int OriginMac = 0x18;

        /// <summary>u16: ring pairs in use; the flags in the ring table say which.</summary>
        public const int QueuePairs = 0x1e;

        /// <summary>u64: virtio-net bits that the origin's driver acknowledged.</summary>
        public const int Features = 0x20;

        /// <summary>u64: bytes of the window.</summary>
        public const int WindowSize = 0x28;

        /// <summary>u16: entries of the ring table.</summary>
        public const int RingCount = 0x30;

        /// <summary>u16: bytes of an entry.</summary>
        public const int RingEntry = 0x32;

        /// <summary>u32: where the ring table starts.</summary>
        public const int RingOffset = 0x34;

        /// <summary>u64: what byte 0 of the window is in the origin's address space.</summary>
        public const int WindowBase = 0x38;

        /// <summary>u64, written by the driver: features of the origin that it accepts; 0: all.</summary>
        public const int Accept = 0x40;

        /// <summary>u32, written by the driver: <see cref="DriverDown"/>.</summary>
        public const int Driver = 0x48;

        /// <summary>u32: how often the origin has announced its address.</summary>
        public const int Announce = 0x4c;

        /// <summary>The ring table, where this version has it.</summary>
        public const int Rings = 0x50;

        /// <summary>Bytes of a configuration with that many rings.</summary>
        public static int Size(int rings) => Rings + rings * Ring.Size;
    }

    /// <summary>Byte offsets in <c>struct vhost_pci_net_ring</c>.</summary>
    public static class Ring
    {
        /// <summary>u64: descriptor table, guest-physical in the origin.</summary>
        public const int Desc = 0x00;

        /// <summary>u64: driver area.</summary>
        public const int Avail = 0x08;

        /// <summary>u64: device area.</summary>
        public const int Used = 0x10;

        /// <summary>u32: entries of the ring.</summary>
        public const int Entries = 0x18;

        /// <summary>u32: <see cref="RingEnabled"/> or 0.</summary>
        public const int Flags = 0x1c;

        /// <summary>Bytes of an entry of the ring table.</summary>
        public const int Size = 0x20;
    }
}
