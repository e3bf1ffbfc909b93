// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>What is laid into the window and taken out of it, and the rings with it.</summary>
public sealed partial class MirrorDevice
{
    private void Evaluate()
    {
        if (!_wanted || IsUp || _linkOff || _windowMissing || _awaited is not null || _stage != DeviceStage.Ready
            || _origin is not { } origin || !Accepts(origin.Features) || _window is not { } window || _device is not { } device)
        {
            return;
        }

        try
        {
            if (window.MappedBytes != 0)
            {
                // It could not be cleared the last time.
                window.Clear();
            }

            if (TryMap(origin, window, out string error) && TryBindRings(origin, device, out bool[] added, out error))
            {
                IsUp = true;
                Publish(origin, device, added);
                return;
            }

            FailToShow(origin, device, window, error);
        }
        catch (Exception exception)
        {
            // It may be the guest's turn and not the origin's, so nobody else would tell the origin.
            FailToShow(origin, device, window, $"internal error: {exception.Message}");
            throw;
        }
    }

    private void FailToShow(IOrigin origin, IDeviceHost device, IWindow window, string error)
    {
        _wanted = false;
        AllSteps.Run(
            () => TakeDown(notify: true),
            () => UnbindAll(device),
            window.Clear,
            () => origin.OnDeviceFailed(error));
    }

    private bool TryMap(IOrigin origin, IWindow window, out string error)
    {
        for (int i = 0; i < origin.Memory.Count; i++)
        {
            MemoryRegion region = origin.Memory.GetRegion(i);
            if (!window.TryMap(region.GuestAddress, origin.Memory.GetFile(i), region.FileOffset, region.Length, out error))
            {
                return false;
            }

            _host.Trace(TraceEvent.Map, Number, region.GuestAddress, region.Length);
        }

        error = string.Empty;
        return true;
    }

    /// <summary>Binds the rings that run and are not shown yet.</summary>
    private bool TryBindRings(IOrigin origin, IDeviceHost device, out bool[] added, out string error)
    {
        added = new bool[RingCount];
        Array.Fill(_files, new RingFiles(RingFiles.Keep, RingFiles.Keep));
        for (int i = 0; i < RingCount; i++)
        {
            if (i >= origin.RingCount || _shown[i] || origin.GetRing(i) is not { IsInUse: true } ring)
            {
                continue;
            }

            added[i] = true;
            _files[i] = new RingFiles(TraceBind(i, RingEndpoint.Kick, ring.Kick), TraceBind(i, RingEndpoint.Call, ring.Call));
        }

        error = "the eventfds of its rings could not be bound";
        return device.BindAll(_files);
    }

    private int TraceBind(int index, RingEndpoint endpoint, IPeerFile? file)
    {
        if (file is null)
        {
            return RingFiles.Keep;
        }

        _host.Trace(TraceEvent.Bind, Number, (ulong)index, (ulong)endpoint);
        return file.Descriptor;
    }

    /// <summary>One more step of the configuration, with these rings in it as well.</summary>
    private void Publish(IOrigin origin, IDeviceHost device, bool[] added)
    {
        for (int i = 0; i < RingCount; i++)
        {
            if (added[i])
            {
                Ring ring = origin.GetRing(i);
                PackedRings.Clean(_window!, ring, origin.Features);
                ring.HasRun = true;
                _shown[i] = true;
                _config.SetRing(i, ring.Size, ring.Placement);
            }
        }

        int pairs = _shown.Count(shown => shown) / 2;
        _config.SetQueuePairs(pairs);
        uint epoch = Step();
        _host.Trace(TraceEvent.Epoch, Number, epoch, 1);
        DeviceLog.LinkUp(_logger, Identity.Id, epoch, pairs);
        device.NotifyConfigChanged();
        RaiseRings(added);
    }

    private bool TryBind(int index, RingEndpoint endpoint, Ring ring)
    {
        int descriptor = TraceBind(index, endpoint, endpoint == RingEndpoint.Kick ? ring.Kick : ring.Call);
        return descriptor < 0 || _device!.Bind(index, endpoint, descriptor);
    }

    private void TakeDown(bool notify)
    {
        if (!IsUp || _device is not { } device)
        {
            return;
        }

        // This order: no interrupt can start what the next lines take away, no doorbell reaches a closed eventfd, and the
        // memory is gone before the driver is told.
        IsUp = false;
        ulong mapped = MappedBytes;
        AllSteps.Run(
            () => UnbindAll(device),
            () => _window?.Clear(),
            () => device.TakeWindowFault(),
            () => WithdrawConfig(device, mapped, notify));
    }

    private void WithdrawConfig(IDeviceHost device, ulong mapped, bool notify)
    {
        _host.Trace(TraceEvent.Clear, Number, mapped, 0);
        Array.Clear(_shown);
        _config.SetQueuePairs(0);
        _config.ClearRings();
        uint epoch = Step();
        _host.Trace(TraceEvent.Epoch, Number, epoch, 0);
        DeviceLog.LinkDown(_logger, Identity.Id, epoch);
        if (IsDriverReady && !_windowMissing)
        {
            _awaited = epoch;
            _host.ArmTimer(Number, AckTimeout);
        }

        if (notify)
        {
            device.NotifyConfigChanged();
        }
    }

    private void UnbindAll(IDeviceHost device)
    {
        Array.Fill(_files, new RingFiles(RingFiles.None, RingFiles.None));
        _ = device.BindAll(_files);
    }

    private void RaiseRings(bool[] which)
    {
        // An eventfd may have been signalled before it was bound, or to a driver that was not there.
        for (int i = 0; i < RingCount; i++)
        {
            if (which[i])
            {
                _device?.RaiseRing(i);
            }
        }
    }
}
