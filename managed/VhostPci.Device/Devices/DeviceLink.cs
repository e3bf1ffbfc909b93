// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Devices;

/// <summary>Shows an origin's memory and rings to the guest driver, and withdraws them: the rule for when each may happen (ADR 0003).</summary>
/// <remarks>
/// A withdrawal makes an epoch. The driver may use what the window showed until it has acknowledged that epoch, so nothing new
/// is mapped into the window before; a driver that is not there or was reset has let go without a word.
/// </remarks>
internal sealed class DeviceLink
{
    internal const uint AckTimeout = 5000;

    private readonly IHost _host;
    private readonly ILogger _logger;
    private readonly MirrorDevice _device;
    private readonly DeviceStateMachine _states;
    private readonly HostTimer _ackTimer;
    private int _ackWarnings;

    internal DeviceLink(IHost host, ILogger logger, MirrorDevice device, DeviceStateMachine states, DevicePart part, ulong windowSize, int rings)
    {
        _host = host;
        _logger = logger;
        _device = device;
        _states = states;
        _ackTimer = new HostTimer(host);
        Config = new ConfigSpace(device.Class.VirtioId, device.Class.PartSize, rings, windowSize);
        part.Write(Config.Part, groups: 0);
        Driver = new DriverEnd(device.Class, Config);
        Memory = new ShownMemory(host, device.Number, windowSize);
        Rings = new ShownRings(host, device.Number, rings);
        Steps = new ConfigSteps(device, states, Config, Driver, Rings, part);
    }

    internal ConfigSpace Config { get; }

    internal DriverEnd Driver { get; }

    internal ShownMemory Memory { get; }

    internal ShownRings Rings { get; }

    internal ConfigSteps Steps { get; }

    /// <summary>The origin's rings run.</summary>
    internal bool IsWanted { get; private set; }

    internal bool IsUp => _states.Link == DeviceState.Up;

    internal void Release()
    {
        AllSteps.Run(_ackTimer.Release, Memory.Release);
    }

    /// <summary>Shows what runs, as soon as the rule allows.</summary>
    internal void Start()
    {
        IsWanted = true;
        Show();
    }

    /// <summary>Nothing is to be shown until the next start.</summary>
    internal void Stop()
    {
        IsWanted = false;
        Withdraw(notify: true);
    }

    /// <summary>Shows the origin's memory and rings, if the rule allows.</summary>
    internal void Show()
    {
        if (!IsWanted || _states.Link != DeviceState.Down || Driver.IsSwitchedOff || !_device.IsReady
            || _device.Origin is not { } origin || !Driver.Accepts(origin.Session.Features) || _device.Host is not { } host)
        {
            return;
        }

        try
        {
            bool[] added = [];
            if (!Memory.TryMap(origin.Session.Memory, out string error) || !TryBind(origin, host, out added, out error))
            {
                GiveUp(origin, host, error);
                return;
            }

            _states.Move(DeviceEvent.Shown);
            Publish(origin, host, added);
        }
        catch (Exception exception)
        {
            // It may be the guest's turn and not the origin's, so nobody else would tell the origin.
            GiveUp(origin, host, $"internal error: {exception.Message}");
            throw;
        }
    }

    /// <summary>More rings run, and those that ran before go on: nothing is withdrawn for it.</summary>
    internal void Extend()
    {
        if (!IsUp || _device.Origin is not { } origin || _device.Host is not { } host)
        {
            // They come with the others.
            return;
        }

        if (TryBind(origin, host, out bool[] added, out string error))
        {
            Publish(origin, host, added);
        }
        else
        {
            origin.OnDeviceFailed(error);
        }
    }

    /// <summary>Takes memory and rings from the guest, now.</summary>
    /// <param name="notify">Whether to tell the driver.</param>
    /// <param name="isUsed">Whether a driver that is ready can have used them: not when it has no window.</param>
    internal void Withdraw(bool notify, bool isUsed = true)
    {
        if (!IsUp || _device.Host is not { } host)
        {
            return;
        }

        // This order: no interrupt can start what the next lines take away, no doorbell reaches a closed eventfd, and the
        // memory is gone before the driver is told.
        _states.Move(DeviceEvent.Withdrawn);
        ulong mapped = Memory.MappedBytes;
        AllSteps.Run(
            () => Rings.UnbindAll(host),
            Memory.Clear,
            () => host.TakeWindowFault(),
            () => PublishWithdrawal(host, mapped, notify, isUsed && Driver.IsReady));
    }

    /// <summary>The driver has let go of what was withdrawn.</summary>
    internal void LetGo()
    {
        if (_states.Link == DeviceState.Awaiting)
        {
            _states.Move(DeviceEvent.LetGo);
            _ackTimer.Cancel();
        }
    }

    /// <summary>Whether to warn when the driver does not acknowledge: the user may want to know why an origin's link stays down.</summary>
    internal void WatchAck(bool watch)
    {
        if (watch && _states.Link == DeviceState.Awaiting)
        {
            _ackTimer.Arm(AckTimeout, OnAckTimeout);
        }
        else
        {
            _ackTimer.Cancel();
        }
    }

    private bool TryBind(Connection origin, IDeviceHost host, out bool[] added, out string error)
    {
        bool bound = Rings.TryBind(origin, host, out added);
        error = bound ? string.Empty : "the eventfds of its rings could not be bound";
        return bound;
    }

    private void GiveUp(Connection origin, IDeviceHost host, string error)
    {
        IsWanted = false;
        AllSteps.Run(
            () => Withdraw(notify: true),
            () => Rings.UnbindAll(host),
            Memory.Clear,
            () => origin.OnDeviceFailed(error));
    }

    /// <summary>One more step of the configuration, with these rings in it as well.</summary>
    private void Publish(Connection origin, IDeviceHost host, bool[] added)
    {
        for (int i = 0; i < added.Length; i++)
        {
            if (added[i])
            {
                Ring ring = origin.Session.GetRing(i);
                Memory.CleanRing(ring, origin.Session.Features);
                ring.Facts = ring.Facts with { HasRun = true };
                Rings.Show(i);
                Config.SetRing(i, ring.Size, ring.Placement);
            }
        }

        uint epoch = Steps.Next();
        _host.Trace(TraceEvent.Epoch, _device.Number, epoch, 1);
        DeviceLog.LinkUp(_logger, _device.Identity.Id, epoch, Steps.Groups);
        host.NotifyConfigChanged();
        ShownRings.Raise(added, host);
    }

    private void PublishWithdrawal(IDeviceHost host, ulong mapped, bool notify, bool isUsed)
    {
        _host.Trace(TraceEvent.Clear, _device.Number, mapped, 0);
        Rings.Clear();
        Config.ClearRings();
        uint epoch = Steps.Next();
        _host.Trace(TraceEvent.Epoch, _device.Number, epoch, 0);
        DeviceLog.LinkDown(_logger, _device.Identity.Id, epoch);
        if (isUsed)
        {
            _states.Move(DeviceEvent.DriverTold);
            _ackTimer.Arm(AckTimeout, OnAckTimeout);
        }

        if (notify)
        {
            host.NotifyConfigChanged();
        }
    }

    private void OnAckTimeout()
    {
        if (_ackWarnings < Budgets.GuestLines)
        {
            _ackWarnings++;
            DeviceLog.NotAcknowledged(_logger, _device.Identity.Id, Config.Epoch, Config.Ack, AckTimeout / 1000);
        }
    }
}
