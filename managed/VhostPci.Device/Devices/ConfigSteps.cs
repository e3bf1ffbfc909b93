// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;

namespace VhostPci.Device.Devices;

/// <summary>The steps in which a device's configuration changes, each with an epoch of its own.</summary>
/// <remarks>
/// One step at a time: while the driver has not acknowledged the last one, what concerns no ring waits and the latest wins. So an origin
/// can change its mind at any rate, and the driver has no more to do than it can.
/// </remarks>
internal sealed class ConfigSteps(MirrorDevice device, DeviceStateMachine states, ConfigSpace config, DriverEnd driver, ShownRings rings, DevicePart part)
{
    private bool _isPending;

    /// <summary>Groups of rings that are shown.</summary>
    internal int Groups => rings.ShownCount / device.Class.RingsPerGroup;

    /// <summary>The next step, with all that has changed; the caller tells the driver.</summary>
    /// <returns>Its epoch.</returns>
    internal uint Next()
    {
        _isPending = false;
        bool up = states.Link == DeviceState.Up;
        part.Write(config.Part, Groups);
        config.SetLink(up, up && device.Origin is { } origin ? origin.Session.EffectiveFeatures : 0);
        return config.NextEpoch();
    }

    /// <summary>The class's part, or the origin's features, have changed.</summary>
    internal void Change()
    {
        _isPending = true;
        PublishPending();
    }

    /// <summary>The device is there for another origin.</summary>
    internal void ForgetOrigin()
    {
        part.ForgetOrigin();
        _isPending = true;
    }

    /// <summary>Makes a step of what has changed, if the driver has acknowledged the last one.</summary>
    internal void PublishPending()
    {
        if (_isPending && !(driver.IsReady && DriverWrites.IsLater(config.Epoch, config.Ack)))
        {
            Next();
            device.Host?.NotifyConfigChanged();
        }
    }
}
