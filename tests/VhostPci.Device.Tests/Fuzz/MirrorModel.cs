// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What the origins of a mirror share: its bridge, or ports, and its static devices.</summary>
internal sealed class MirrorModel(Setup setup)
{
    internal const int Slots = Step.Peers + 1;
    internal const int PhysBits = 40;
    internal const ulong SlotSize = 4UL << 30;

    internal Setup Setup => setup;

    /// <summary>The windows of all slots together; the bridge reserves one more than there are connections. A port may take half of what can be addressed.</summary>
    internal ulong Reserved { get; } = setup.Ports != 0 ? 1UL << (PhysBits - 1) : SlotSize * (Step.Peers + 1);

    /// <summary>In the order in which they were plugged; those that the guest has let go are null.</summary>
    internal List<DeviceModel?> Devices { get; } = [];

    /// <summary>Tries again for those who wait; set by the run, which knows the order.</summary>
    internal Action Retry { get; set; } = static () => { };

    /// <summary>What a driver of this mirror has accepted last.</summary>
    internal ulong Accepted { get; set; } = ulong.MaxValue;

    internal bool BridgeFails { get; set; }

    internal long Now { get; private set; }

    internal long Refusals { get; set; }

    internal long LinksUp { get; set; }

    /// <summary>Times that the link had to wait for the driver to let go.</summary>
    internal long Awaited { get; set; }

    internal long Growths { get; set; }

    /// <summary>Times that there was no slot for a device.</summary>
    internal long Waits { get; set; }

    internal long Pairs { get; set; }

    internal long Replies { get; set; }

    /// <summary>Origins that got the device that they had.</summary>
    internal long Returns { get; set; }

    /// <summary>Origins that got a static device.</summary>
    internal long Adoptions { get; set; }

    /// <summary>Times that a driver or the user took the link away.</summary>
    internal long Switches { get; set; }

    /// <summary>Back-end requests.</summary>
    internal long Told { get; set; }

    /// <summary>Packed rings that were shown.</summary>
    internal long Packed { get; set; }

    /// <summary>Packed rings that said something else than their position when they were shown.</summary>
    internal long Corrected { get; set; }

    /// <summary>Packed rings that were left half returned.</summary>
    internal long Finished { get; set; }

    /// <summary>Messages that were dumped.</summary>
    internal long Dumped { get; set; }

    /// <summary>Time passes, and the guest is asked for devices whose origin has not returned.</summary>
    internal void Pass(long milliseconds)
    {
        Now += milliseconds;
        foreach (DeviceModel device in Devices.OfType<DeviceModel>())
        {
            device.Expire();
        }
    }

    /// <summary>One slot's size is for alignment: as long as a device is leaving, nobody gets that. Ports have room for what is on them.</summary>
    internal bool HasRoomFor(ulong size)
    {
        DeviceModel[] there = [.. Devices.OfType<DeviceModel>().Where(static device => !device.IsStatic)];
        if (setup.Ports != 0)
        {
            return there.Length < setup.Ports;
        }

        UInt128 together = size;
        foreach (DeviceModel device in there)
        {
            together += device.WindowSize;
        }

        return there.Length < Slots && (together <= Reserved - SlotSize || there.All(static device => device.Origin is not null));
    }
}
