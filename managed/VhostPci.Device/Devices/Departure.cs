// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Devices;

/// <summary>What becomes of a device whose origin has gone: it is kept for a while, then the guest is asked for it until it lets go.</summary>
internal sealed class Departure(IHost host, ILogger logger, MirrorDevice device, DeviceStateMachine states)
{
    private readonly HostTimer _timer = new(host);
    private int _attempts;

    internal void Release() => _timer.Release();

    /// <summary>The origin has gone.</summary>
    /// <param name="delay">Milliseconds for which the device is kept for it.</param>
    internal void Begin(uint delay)
    {
        if (delay == 0)
        {
            Unplug();
            return;
        }

        states.Move(DeviceEvent.OriginLeft);
        _timer.Arm(delay, Unplug);
    }

    /// <summary>Asks the guest for the device, without waiting for its origin any longer.</summary>
    internal void Unplug()
    {
        states.Move(DeviceEvent.UnplugRequested);
        _attempts = 0;
        RequestUnplug();
    }

    /// <summary>The origin is back, or the device has left.</summary>
    internal void Cancel() => _timer.Cancel();

    // A guest that still boots hears only a later request.
    private static uint DelayAfter(int attempt) => attempt switch
    {
        1 => 1000,
        2 => 2000,
        3 => 4000,
        _ => 5000,
    };

    private void RequestUnplug()
    {
        _attempts++;
        host.Trace(TraceEvent.Unplug, device.Identity.Connection, (ulong)device.Identity.Slot, (ulong)_attempts);
        _timer.Arm(DelayAfter(_attempts), RequestUnplug);
        if (device.Host is { } target && !target.TryUnplug(out string error))
        {
            DeviceLog.UnplugFailed(logger, device.Identity.Id, _attempts, error);
        }
    }
}
