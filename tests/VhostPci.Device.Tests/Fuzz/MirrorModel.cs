// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What the origins of a mirror share: its bridge.</summary>
internal sealed class MirrorModel
{
    internal const int Slots = Step.Peers + 1;
    internal const ulong SlotSize = 4UL << 30;

    /// <summary>The windows of all slots together; the bridge reserves one more than there are connections.</summary>
    internal const ulong Reserved = SlotSize * (Step.Peers + 1);

    /// <summary>In the order in which they were plugged; those that the guest has let go are null.</summary>
    internal List<DeviceModel?> Devices { get; } = [];

    internal bool BridgeFails { get; set; }

    internal long Refusals { get; set; }

    internal long LinksUp { get; set; }

    /// <summary>Times that the link had to wait for the driver to let go.</summary>
    internal long Awaited { get; set; }

    internal long Growths { get; set; }

    /// <summary>Times that there was no slot for a device.</summary>
    internal long Waits { get; set; }

    internal long Pairs { get; set; }

    internal long Replies { get; set; }

    /// <summary>One slot's size is for alignment: as long as a device is leaving, nobody gets that.</summary>
    internal bool HasRoomFor(ulong size)
    {
        DeviceModel[] there = [.. Devices.OfType<DeviceModel>()];
        UInt128 together = size;
        foreach (DeviceModel device in there)
        {
            together += device.WindowSize;
        }

        return there.Length < Slots && (together <= Reserved - SlotSize || there.All(static device => device.Origin is not null));
    }
}
