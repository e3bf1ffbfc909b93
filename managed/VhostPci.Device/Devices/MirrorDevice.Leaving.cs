// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Devices;

/// <summary>When the origin is gone.</summary>
public sealed partial class MirrorDevice
{
    /// <summary>The origin is gone: take everything down. A static device then waits, another is asked for after a while.</summary>
    /// <param name="unplugDelay">Milliseconds in which the origin may return to this device.</param>
    internal void Abandon(uint unplugDelay)
    {
        _wanted = false;
        if (Static is not null)
        {
            // The next origin is another one: in the step of the withdrawal, if there is one.
            _news.OriginMac = default;
            _news.Mtu = 0;
            _untold = true;
        }

        AllSteps.Run(() => TakeDown(notify: true), () => _origin = null, () => Settle(unplugDelay));
    }

    private void Settle(uint unplugDelay)
    {
        if (_stage is not (DeviceStage.Attached or DeviceStage.Ready))
        {
            return;
        }

        if (Static is not null)
        {
            Forget();
        }
        else if (unplugDelay == 0)
        {
            Leave();
        }
        else
        {
            _host.ArmTimer(Number, unplugDelay);
        }
    }

    /// <summary>Asks the guest for the device, without waiting for its origin any longer.</summary>
    internal void Leave()
    {
        _unplugging = true;
        _unplugAttempts = 0;
        RequestUnplug();
    }

    /// <inheritdoc/>
    public void OnReady(int descriptor, DescriptorEvents events)
    {
        // A device watches no descriptor.
    }

    /// <inheritdoc/>
    public void OnTimer()
    {
        if (_stage is DeviceStage.Detached or DeviceStage.Released)
        {
            return;
        }

        if (IsAway)
        {
            Leave();
        }
        else if (IsLeaving)
        {
            RequestUnplug();
        }
        else if (_awaited is { } epoch && _saidNotAcknowledged < Budgets.GuestLines)
        {
            _saidNotAcknowledged++;
            DeviceLog.NotAcknowledged(_logger, Identity.Id, epoch, _config.Ack, AckTimeout / 1000);
        }
    }

    private void Forget()
    {
        Identity = Identity with { Connection = 0, Peer = default };
        Key = null;
        AllSteps.Run(TellNews, () => _owner.OnVacated(this));
    }

    private void RequestUnplug()
    {
        _unplugAttempts++;
        _host.Trace(TraceEvent.Unplug, Identity.Connection, (ulong)Identity.Slot, (ulong)_unplugAttempts);
        _host.ArmTimer(Number, UnplugPolicy.DelayAfter(_unplugAttempts));
        if (_device is { } device && !device.TryUnplug(out string error))
        {
            DeviceLog.UnplugFailed(_logger, Identity.Id, _unplugAttempts, error);
        }
    }
}
