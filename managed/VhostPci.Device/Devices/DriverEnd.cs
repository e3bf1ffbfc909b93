// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>What the guest driver says about itself, and whether somebody serves the origin's rings at this end.</summary>
/// <remarks>
/// A reset clears the driver's fields, but what they said stands until DRIVER_OK: a driver that is loaded again, or a guest that
/// reboots, would otherwise make the origin's link, or its features, change twice.
/// </remarks>
internal sealed class DriverEnd(DeviceClass deviceClass, ConfigSpace config)
{
    private const uint DriverOkBit = 4;

    private ulong _accept;
    private bool _isDown;

    /// <summary>DRIVER_OK is set.</summary>
    internal bool IsReady { get; private set; }

    /// <summary>The mirror's user has switched the link off.</summary>
    internal bool IsSwitchedOff { get; private set; }

    internal bool IsLinkUp => !_isDown && !IsSwitchedOff;

    /// <summary>Features of an origin that the driver accepts; all before it has said anything.</summary>
    internal ulong Accepted => _accept == 0 ? ulong.MaxValue : _accept | VirtioFeatures.VhostUserProtocolFeatures;

    internal bool Accepts(ulong features) => (features & ~Accepted) == 0;

    /// <returns>Whether that is a change.</returns>
    internal bool Switch(bool on)
    {
        bool changed = IsSwitchedOff == on;
        IsSwitchedOff = !on;
        return changed;
    }

    /// <summary>The guest has written the virtio device status.</summary>
    /// <returns>False when a driver that was ready still is.</returns>
    internal bool SetStatus(uint status)
    {
        bool was = IsReady;
        IsReady = (status & DriverOkBit) != 0;
        if (status == 0)
        {
            config.Accept = 0;
            config.Driver = 0;
        }

        return !was || !IsReady;
    }

    /// <summary>The guest has written the driver's fields.</summary>
    internal void Write(ulong accept, uint driver)
    {
        config.Accept = accept;
        config.Driver = driver;
    }

    /// <summary>Takes what the driver's fields say, now that there is a driver.</summary>
    /// <returns>Whether that is a change.</returns>
    internal bool Apply()
    {
        // It comes in two halves, the one with VERSION_1 last.
        ulong accept = config.Accept;
        accept = accept == 0 ? 0 : (accept & VirtioFeatures.Version1) == 0 ? _accept : deviceClass.MakeConsistent(accept);
        bool isDown = (config.Driver & GuestAbi.DriverDown) != 0;
        bool changed = accept != _accept || isDown != _isDown;
        _accept = accept;
        _isDown = isDown;
        return changed;
    }
}
