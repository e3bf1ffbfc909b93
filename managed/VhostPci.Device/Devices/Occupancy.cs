// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Common;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Devices;

/// <summary>Which origin has a device: how one gets it, returns to it and loses it.</summary>
internal sealed class Occupancy(IHost host, ILogger logger, MirrorDevice device, DeviceLink link, DeviceStateMachine states, IDeviceOwner owner)
{
    private bool _isPlugging;

    /// <summary>What becomes of the device without an origin.</summary>
    internal Departure Departure { get; } = new(host, logger, device, states);

    internal Connection? Origin { get; private set; }

    /// <summary>Identifies a returning origin; null if it cannot be identified.</summary>
    internal OriginKey? Key { get; private set; }

    /// <summary>Made for the origin that has it.</summary>
    internal bool IsNew { get; private set; } = true;

    /// <summary>The user has been warned that the device does not suit somebody.</summary>
    internal bool HasWarnedOfMisfit { get; set; }

    /// <summary>Plugs a device for its first origin; the host attaches to it before this returns.</summary>
    internal bool TryPlug(IServerHost server, Connection origin, OriginKey? key, out string error)
    {
        Origin = origin;
        Key = key;
        bool plugged = false;
        _isPlugging = true;
        try
        {
            DeviceIdentity identity = device.Identity;
            plugged = server.TryPlug(device.Number, identity.Bus, identity.Slot, identity.Id, out error);
        }
        finally
        {
            _isPlugging = false;
            if (!plugged)
            {
                GiveUpPlug();
            }
        }

        if (plugged)
        {
            host.Trace(TraceEvent.Plug, device.Identity.Connection, (ulong)device.Identity.Slot, 0);
        }

        return plugged;
    }

    /// <summary>Gives the device to an origin: a static one to the next, another to the one that had it.</summary>
    internal void Adopt(Connection origin, OriginKey? key)
    {
        states.Move(DeviceEvent.OriginCame);
        Key = key;
        IsNew = false;
        HasWarnedOfMisfit = false;
        Origin = origin;
        Departure.Cancel();
        link.WatchAck(true);
    }

    /// <summary>The origin is gone: withdraw everything. A static device then waits for the next; the guest is asked for another after a while.</summary>
    /// <param name="unplugDelay">Milliseconds in which the origin may return to this device.</param>
    internal void Vacate(uint unplugDelay)
    {
        if (device.Static is not null)
        {
            // The next origin is another one: in the step of the withdrawal, if there is one.
            link.Steps.ForgetOrigin();
        }

        AllSteps.Run(
            link.Stop,
            () => Origin = null,
            () => Settle(unplugDelay));
    }

    /// <summary>The host has taken the device off its bus.</summary>
    /// <returns>The origin that had it and does not know yet.</returns>
    internal Connection? Detach()
    {
        Connection? origin = _isPlugging ? null : Origin;
        Origin = null;
        states.Move(DeviceEvent.Detached);
        return origin;
    }

    private void Settle(uint unplugDelay)
    {
        if (states.State is DeviceState.Leaving or DeviceState.Gone)
        {
            return;
        }

        if (device.Static is not null)
        {
            states.Move(DeviceEvent.StaticOriginLeft);
            Key = null;
            device.ForgetPeer();
            AllSteps.Run(link.Steps.PublishPending, () => owner.OnVacated(device));
        }
        else
        {
            AllSteps.Run(() => link.WatchAck(false), () => Departure.Begin(unplugDelay));
        }
    }

    private void GiveUpPlug()
    {
        Origin = null;
        link.Stop();
        if (states.State != DeviceState.Leaving)
        {
            states.Move(DeviceEvent.UnplugRequested);
        }

        if (device.Stage == DeviceStage.Planned)
        {
            // The host never saw it, so nobody else will say that it is gone.
            device.Release();
        }
    }
}
