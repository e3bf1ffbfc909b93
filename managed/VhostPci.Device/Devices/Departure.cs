// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Devices;

/// <summary>What becomes of a device whose origin has gone: it is kept for a while, then the guest is asked for it until it lets go.</summary>
internal sealed class Departure
{
    private readonly IHost _host;
    private readonly ILogger _logger;
    private readonly MirrorDevice _device;
    private readonly DeviceStateMachine _states;
    private readonly HostTimer _timer;
    private int _attempts;

    internal Departure(IHost host, ILogger logger, MirrorDevice device, DeviceStateMachine states)
    {
        _host = host;
        _logger = logger;
        _device = device;
        _states = states;
        _timer = new HostTimer(host, OnDeadline);
    }

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

        _states.Move(DeviceEvent.OriginLeft);
        _timer.Arm(delay);
    }

    /// <summary>Asks the guest for the device, without waiting for its origin any longer.</summary>
    internal void Unplug()
    {
        _states.Move(DeviceEvent.UnplugRequested);
        _attempts = 0;
        RequestUnplug();
    }

    /// <summary>The origin is back, or the device has left.</summary>
    internal void Cancel() => _timer.Cancel();

    private void OnDeadline()
    {
        if (_states.State == DeviceState.Away)
        {
            Unplug();
        }
        else
        {
            RequestUnplug();
        }
    }

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
        _host.Trace(TraceEvent.Unplug, _device.Identity.Connection, (ulong)_device.Identity.Slot, (ulong)_attempts);
        _timer.Arm(DelayAfter(_attempts));
        if (_device.Host is { } host && !host.TryUnplug(out string error))
        {
            DeviceLog.UnplugFailed(_logger, _device.Identity.Id, _attempts, error);
        }
    }
}
