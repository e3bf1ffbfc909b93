// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Connections;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Net;

/// <summary>One vhost-pci-net: its configuration space, window, and the rule for when memory may appear and vanish (design D4, D5).</summary>
/// <remarks>
/// A withdrawal makes an epoch. The driver may use what the window showed until it has acknowledged that epoch, so nothing new
/// is laid into the window before; a driver that is not there or was reset has let go without a word.
/// </remarks>
public sealed class NetDevice : IReactor
{
    /// <summary>One queue pair in this version.</summary>
    internal const int RingCount = 2;

    internal const uint AckTimeout = 5000;
    internal const ulong NoAddress = ulong.MaxValue;
    private const ulong FourGibibytes = 1UL << 32;
    private const uint DriverOkBit = 4;

    private readonly IHost _host;
    private readonly IWindowFactory _windows;
    private readonly INetDeviceOwner _owner;
    private readonly ILogger _logger;
    private readonly NetConfigSpace _config;

    private IOrigin? _origin;
    private IDeviceHost? _device;
    private IWindow? _window;
    private DeviceStage _stage = DeviceStage.Planned;
    private bool _plugging;
    private bool _wanted;
    private bool _windowMissing;
    private uint? _awaited;
    private int _unplugAttempts;

    internal NetDevice(
        IHost host,
        IWindowFactory windows,
        INetDeviceOwner owner,
        IOrigin origin,
        ILogger logger,
        DeviceIdentity identity,
        ulong windowSize)
    {
        _host = host;
        _windows = windows;
        _owner = owner;
        _origin = origin;
        _logger = logger;
        Identity = identity;
        WindowSize = windowSize;
        _config = new NetConfigSpace(RingCount, windowSize) { Mac = StableMac.FromName(identity.Id) };
        Number = host.Register(this);
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    internal DeviceIdentity Identity { get; }

    internal ulong WindowSize { get; }

    internal ulong MappedBytes => _window?.MappedBytes ?? 0;

    internal DeviceStage Stage => _stage;

    internal bool IsUp { get; private set; }

    internal bool IsDriverReady { get; private set; }

    internal bool IsLeaving => _origin is null;

    internal bool IsWindowMissing => _windowMissing;

    internal bool IsWaitingForDriver => _wanted && _awaited is not null;

    internal uint Epoch => _config.Epoch;

    internal uint Ack => _config.Ack;

    internal MacAddress Mac => _config.Mac;

    internal RingCounters GetCounters(int ring) => _device is { } device && _stage == DeviceStage.Ready ? device.GetCounters(ring) : default;

    /// <summary>Plugs the device in; the host attaches to it before this returns.</summary>
    internal bool TryPlug(IServerHost server, out string error)
    {
        _plugging = true;
        bool plugged = server.TryPlug(Number, Identity.Slot, Identity.Id, out error);
        _plugging = false;
        if (plugged)
        {
            _host.Trace(TraceEvent.Plug, Identity.Connection, (ulong)Identity.Slot, 0);
            return true;
        }

        _origin = null;
        _wanted = false;
        if (_stage == DeviceStage.Planned)
        {
            // The host never saw it, so nobody else will say that it is gone.
            Detach();
            Release();
        }

        return false;
    }

    /// <summary>The host realizes the device: reserve its window.</summary>
    public bool TryAttach(IDeviceHost device, out DevicePlan plan, out string error)
    {
        plan = default;
        if (_stage != DeviceStage.Planned)
        {
            error = "this vhost-pci-net is in use already";
            return false;
        }

        if (!_windows.TryReserve(WindowSize, out IWindow? window, out error) || window is null)
        {
            return false;
        }

        _window = window;
        _device = device;
        _stage = DeviceStage.Attached;
        plan = new DevicePlan(window.Address, WindowSize, RingCount, _config.Size);
        return true;
    }

    /// <summary>The device is realized: eventfds may be bound.</summary>
    public void Ready()
    {
        if (_stage == DeviceStage.Attached)
        {
            _stage = DeviceStage.Ready;
            Evaluate();
        }
    }

    /// <summary>The host takes the device away: unbind everything, make the window anonymous.</summary>
    public void Detach()
    {
        if (_stage is DeviceStage.Detached or DeviceStage.Released)
        {
            return;
        }

        TakeDown(notify: false);
        _stage = DeviceStage.Detached;
        _device = null;
        _awaited = null;
        _host.ArmTimer(Number, 0);
        IOrigin? origin = _plugging ? null : _origin;
        _origin = null;
        _owner.OnDetached(this);
        origin?.OnDeviceRemoved();
    }

    /// <summary>No vCPU can reach the window any more.</summary>
    public void Release()
    {
        if (_stage == DeviceStage.Released)
        {
            return;
        }

        Detach();
        _stage = DeviceStage.Released;
        _window?.Dispose();
        _window = null;
        _host.Unregister(Number);
        _owner.OnReleased(this);
    }

    /// <summary>Copies the configuration; allocates nothing.</summary>
    public void ReadConfig(Span<byte> destination) => _config.CopyTo(destination);

    /// <summary>The guest wrote to the configuration: everything but the acknowledgement is ignored.</summary>
    public void WriteConfig(ReadOnlySpan<byte> source)
    {
        if (source.Length < GuestAbi.Config.Ack + sizeof(uint))
        {
            return;
        }

        uint ack = BinaryPrimitives.ReadUInt32LittleEndian(source[GuestAbi.Config.Ack..]);
        if (IsLater(ack, _config.Epoch))
        {
            // An epoch that does not exist yet cannot be acknowledged.
            return;
        }

        _config.Ack = ack;
        _host.Trace(TraceEvent.Acknowledge, Number, ack, 0);
        if (_awaited is { } awaited && !IsLater(awaited, ack))
        {
            LetGo();
            Evaluate();
        }
    }

    /// <summary>The guest wrote the virtio device status.</summary>
    /// <param name="status">The status byte.</param>
    /// <param name="windowAddress">Guest-physical address of BAR 2, or all ones.</param>
    public void SetStatus(uint status, ulong windowAddress)
    {
        _host.Trace(TraceEvent.Status, Number, status, 0);
        bool was = IsDriverReady;
        IsDriverReady = (status & DriverOkBit) != 0;
        if (!IsDriverReady)
        {
            // A driver that was reset uses nothing any more.
            _windowMissing = false;
            LetGo();
            Evaluate();
            return;
        }

        if (was)
        {
            return;
        }

        if (windowAddress < FourGibibytes || windowAddress == NoAddress)
        {
            _windowMissing = true;
            LogWindowMissing(windowAddress);
            TakeDown(notify: true);
            return;
        }

        Evaluate();
        if (IsUp)
        {
            RaiseRings();
        }
    }

    /// <summary>What the origin says about itself; may come before or after the start.</summary>
    internal void Describe(MacAddress originMac, ushort mtu)
    {
        if (!originMac.IsZero)
        {
            _config.OriginMac = originMac;
            _config.Mac = originMac.ToMirror();
        }

        _config.Mtu = mtu;
        _config.NextEpoch();
        _device?.NotifyConfigChanged();
    }

    /// <summary>Shows the origin's memory and rings as soon as the rule allows.</summary>
    internal void Start()
    {
        _wanted = true;
        Evaluate();
    }

    /// <summary>Takes the origin's memory and rings away, now.</summary>
    internal void Stop()
    {
        _wanted = false;
        TakeDown(notify: true);
    }

    /// <summary>A ring got another eventfd while it runs; its number is already in <see cref="Ring"/>.</summary>
    internal bool TryRebind(int ring, RingEndpoint endpoint)
    {
        if (!IsUp || _device is null || _origin is null)
        {
            return true;
        }

        if (!TryBind(ring, endpoint, _origin.GetRing(ring)))
        {
            return false;
        }

        if (endpoint == RingEndpoint.Kick)
        {
            // The origin may have signalled the old one last.
            _device.RaiseRing(ring);
        }

        return true;
    }

    /// <summary>Disconnects an eventfd that is about to be closed.</summary>
    internal void Unbind(int ring, RingEndpoint endpoint)
    {
        if (IsUp)
        {
            _device?.Bind(ring, endpoint, -1);
        }
    }

    /// <summary>The origin is gone: take everything down, then ask the guest for the device.</summary>
    internal void Abandon()
    {
        _wanted = false;
        TakeDown(notify: true);
        _origin = null;
        if (_stage is DeviceStage.Attached or DeviceStage.Ready)
        {
            _unplugAttempts = 0;
            RequestUnplug();
        }
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

        if (_origin is null)
        {
            RequestUnplug();
        }
        else if (_awaited is { } epoch)
        {
            DeviceLog.NotAcknowledged(_logger, Identity.Id, epoch, _config.Ack, AckTimeout / 1000);
        }
    }

    // Serial-number order: also right when the 32 bits have wrapped.
    private static bool IsLater(uint a, uint b) => unchecked((int)(a - b)) > 0;

    private void Evaluate()
    {
        if (!_wanted || IsUp || _windowMissing || _awaited is not null || _stage != DeviceStage.Ready
            || _origin is not { } origin || _window is not { } window || _device is not { } device)
        {
            return;
        }

        if (!TryShow(origin, window, out string error))
        {
            _wanted = false;
            UnbindAll(device);
            window.Clear();
            origin.OnDeviceFailed(error);
            return;
        }

        IsUp = true;
        _config.SetLink(up: true, origin.Features);
        for (int i = 0; i < RingCount; i++)
        {
            Ring ring = origin.GetRing(i);
            ring.HasRun = true;
            _config.SetRing(i, ring.Size, ring.Placement);
        }

        uint epoch = _config.NextEpoch();
        _host.Trace(TraceEvent.Epoch, Number, epoch, 1);
        DeviceLog.LinkUp(_logger, Identity.Id, epoch);
        device.NotifyConfigChanged();
        RaiseRings();
    }

    private bool TryShow(IOrigin origin, IWindow window, out string error)
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

        for (int i = 0; i < RingCount; i++)
        {
            Ring ring = origin.GetRing(i);
            if (!TryBind(i, RingEndpoint.Kick, ring) || !TryBind(i, RingEndpoint.Call, ring))
            {
                error = $"the eventfds of ring {i} could not be bound";
                return false;
            }
        }

        error = string.Empty;
        return true;
    }

    private bool TryBind(int index, RingEndpoint endpoint, Ring ring)
    {
        int descriptor = (endpoint == RingEndpoint.Kick ? ring.Kick : ring.Call)?.Descriptor ?? -1;
        if (descriptor < 0)
        {
            return true;
        }

        _host.Trace(TraceEvent.Bind, Number, (ulong)index, (ulong)endpoint);
        return _device!.Bind(index, endpoint, descriptor);
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
        UnbindAll(device);
        ulong mapped = MappedBytes;
        _window?.Clear();
        _host.Trace(TraceEvent.Clear, Number, mapped, 0);
        _config.SetLink(up: false, features: 0);
        _config.ClearRings();
        uint epoch = _config.NextEpoch();
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

    private static void UnbindAll(IDeviceHost device)
    {
        for (int i = 0; i < RingCount; i++)
        {
            device.Bind(i, RingEndpoint.Kick, -1);
        }

        for (int i = 0; i < RingCount; i++)
        {
            device.Bind(i, RingEndpoint.Call, -1);
        }
    }

    private void LetGo()
    {
        if (_awaited is null)
        {
            return;
        }

        _awaited = null;
        if (_origin is not null)
        {
            // Without an origin the timer is the one of the unplug request.
            _host.ArmTimer(Number, 0);
        }
    }

    private void RaiseRings()
    {
        // An eventfd may have been signalled before it was bound, or to a driver that was not there.
        for (int i = 0; i < RingCount; i++)
        {
            _device?.RaiseRing(i);
        }
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

    private void LogWindowMissing(ulong address)
    {
        if (address == NoAddress)
        {
            DeviceLog.WindowNotPlaced(_logger, Identity.Id, Bytes.Format(WindowSize));
        }
        else
        {
            DeviceLog.WindowTooLow(_logger, Identity.Id, Bytes.Format(WindowSize), address);
        }
    }
}
