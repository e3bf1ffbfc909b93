// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>What the mirror's guest driver sees of a device of any class: the numbers of <c>interop/vhost_pci_guest_abi.h</c>.</summary>
/// <remarks>
/// All fields are little-endian. <c>tests/VhostPci.Linux.Tests</c> compares each number with what a C compiler makes of the header.
/// </remarks>
public static class GuestAbi
{
    /// <summary>Version of the configuration layout.</summary>
    public const uint ConfigVersion = 2;

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

    /// <summary>In <see cref="Config.Driver"/>: nobody serves the rings.</summary>
    public const uint DriverDown = 1;

    /// <summary>In <see cref="Ring.Flags"/>: the ring may be used.</summary>
    public const uint RingEnabled = 1;

    /// <summary>Byte offsets in <c>struct vhost_pci_config</c>, which starts every device's configuration.</summary>
    public static class Config
    {
        /// <summary>u32: <see cref="ConfigVersion"/>.</summary>
        public const int Version = 0x00;

        /// <summary>u32: which step the content is of.</summary>
        public const int Epoch = 0x04;

        /// <summary>u32, written by the driver: the epoch that it has adopted.</summary>
        public const int Ack = 0x08;

        /// <summary>u32, written by the driver: <see cref="DriverDown"/>.</summary>
        public const int Driver = 0x0c;

        /// <summary>u64, written by the driver: features of the origin that it accepts; 0: all.</summary>
        public const int Accept = 0x10;

        /// <summary>u64: virtio bits that the origin's driver acknowledged.</summary>
        public const int Features = 0x18;

        /// <summary>u64: what byte 0 of the window is in the origin's address space.</summary>
        public const int WindowBase = 0x20;

        /// <summary>u64: bytes of the window.</summary>
        public const int WindowSize = 0x28;

        /// <summary>u32: <see cref="LinkUp"/> or 0.</summary>
        public const int Link = 0x30;

        /// <summary>u16: where the ring table starts.</summary>
        public const int RingOffset = 0x34;

        /// <summary>u16: bytes of an entry.</summary>
        public const int RingEntry = 0x36;

        /// <summary>u16: entries of the ring table.</summary>
        public const int RingCount = 0x38;

        /// <summary>u16: virtio id of the origin's device.</summary>
        public const int DeviceClass = 0x3a;

        /// <summary>u16: where the device class's part starts.</summary>
        public const int DeviceConfigOffset = 0x3c;

        /// <summary>u16: bytes of the device class's part.</summary>
        public const int DeviceConfigSize = 0x3e;

        /// <summary>Zero.</summary>
        public const int Reserved = 0x40;

        /// <summary>Bytes of the header; in this version the device class's part follows, then the ring table.</summary>
        public const int Size = 0x60;
    }

    /// <summary>Byte offsets in <c>struct vhost_pci_ring</c>.</summary>
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
