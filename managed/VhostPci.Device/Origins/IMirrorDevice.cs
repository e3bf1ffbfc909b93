// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>What an origin asks of its device.</summary>
internal interface IMirrorDevice
{
    /// <summary>QEMU's id of it.</summary>
    string Id { get; }

    /// <summary>PCI device number on its bus; -1 for a device elsewhere.</summary>
    int Slot { get; }

    /// <summary>Bytes of its window.</summary>
    ulong WindowSize { get; }

    /// <summary>Made for the origin that has it.</summary>
    bool IsNew { get; }

    /// <summary>The state that its connection is in.</summary>
    ConnectionState State { get; }

    /// <summary>What is the device class's of it.</summary>
    DevicePart Part { get; }

    /// <summary>Features of an origin that the guest driver accepts.</summary>
    ulong Accepted { get; }

    /// <summary>Whether somebody serves the origin's rings at this end.</summary>
    bool IsDriverLinkUp { get; }

    /// <summary>Shows what runs, as soon as the rule allows.</summary>
    void Start();

    /// <summary>More rings run, and those that ran before go on.</summary>
    void Extend();

    /// <summary>Withdraws everything, now.</summary>
    void Stop();

    /// <summary>The origin has more memory.</summary>
    bool TryShowMore(MemoryRegion region, IPeerFile file, out string error);

    /// <summary>A ring got another eventfd while it runs; it is already in <see cref="Ring"/>.</summary>
    bool TryRebind(int ring, RingEndpoint endpoint);

    /// <summary>Disconnects an eventfd that is about to be closed.</summary>
    void Unbind(int ring, RingEndpoint endpoint);

    /// <summary>The class's part, or the features in effect, have changed.</summary>
    void ChangePart();

    /// <summary>The origin does not need it any more.</summary>
    /// <param name="unplugDelay">Milliseconds in which it may return to it.</param>
    void Vacate(uint unplugDelay);
}
