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
public sealed partial class NetDevice : IReactor
{
    internal const uint AckTimeout = 5000;
    internal const ulong NoAddress = ulong.MaxValue;
    private const ulong FourGibibytes = 1UL << 32;
    private const uint DriverOkBit = 4;
    private const uint FailedBit = 0x80;

    private readonly IHost _host;
    private readonly IWindowFactory _windows;
    private readonly INetDeviceOwner _owner;
    private readonly ILogger _logger;
    private readonly NetConfigSpace _config;
    private readonly bool[] _shown;

    private IOrigin? _origin;
    private IDeviceHost? _device;
    private IWindow? _window;
    private DeviceStage _stage = DeviceStage.Planned;
    private bool _plugging;
    private bool _wanted;
    private bool _windowMissing;
    private uint? _awaited;
    private int _unplugAttempts;
    private bool _unplugging;

    internal NetDevice(
        IHost host,
        IWindowFactory windows,
        INetDeviceOwner owner,
        IOrigin? origin,
        ILogger logger,
        DeviceIdentity identity,
        ulong windowSize,
        StaticConfig? fixedConfig = null)
    {
        _host = host;
        _windows = windows;
        _owner = owner;
        _origin = origin;
        _logger = logger;
        Identity = identity;
        WindowSize = windowSize;
        _shown = new bool[origin?.RingCount ?? 2 * (fixedConfig?.QueuePairs ?? 1)];
        Static = fixedConfig;
        MacAddress mac = fixedConfig?.Mac ?? default;
        _config = new NetConfigSpace(RingCount, windowSize) { Mac = mac.IsZero ? StableMac.FromName(identity.Id) : mac };
        Number = host.Register(this);
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    internal DeviceIdentity Identity { get; private set; }

    /// <summary>What the user said about a device that is there for ever; null for one that comes and goes with its origin.</summary>
    internal StaticConfig? Static { get; }

    /// <summary>By what an origin that returns is known again; null when it cannot be.</summary>
    internal OriginKey? Key { get; private set; }

    internal ulong WindowSize { get; }

    internal int RingCount => _shown.Length;

    internal ulong MappedBytes => _window?.MappedBytes ?? 0;

    internal bool IsUp { get; private set; }

    internal bool IsDriverReady { get; private set; }

    /// <summary>The guest has been asked for it.</summary>
    internal bool IsLeaving => _origin is null && _unplugging;

    /// <summary>Its origin is gone and may return before the guest is asked for the device.</summary>
    internal bool IsAway => _origin is null && !_unplugging && Static is null;

    /// <summary>Made for the origin that has it.</summary>
    internal bool IsNew { get; private set; } = true;

    /// <summary>Static, and no origin has it.</summary>
    internal bool IsWaiting => _origin is null && !_unplugging && Static is not null;

    /// <summary>The user has been told that its window is too small for somebody.</summary>
    internal bool SaidTooSmall { get; set; }

    /// <summary>Whether an origin could have it.</summary>
    internal bool IsFree => (IsAway || IsWaiting) && _stage is DeviceStage.Attached or DeviceStage.Ready;

    internal bool IsWindowMissing => _windowMissing;

    internal bool IsWaitingForDriver => _wanted && _awaited is not null;

    internal uint Epoch => _config.Epoch;

    internal uint Ack => _config.Ack;

    internal MacAddress Mac => _config.Mac;

    /// <summary>Whether the driver may use this ring now.</summary>
    internal bool IsShown(int ring) => _shown[ring];

    internal RingCounters GetCounters(int ring) => _device is { } device && _stage == DeviceStage.Ready ? device.GetCounters(ring) : default;

    /// <summary>Plugs the device in; the host attaches to it before this returns.</summary>
    internal bool TryPlug(IServerHost server, out string error)
    {
        _plugging = true;
        bool plugged = server.TryPlug(Number, Identity.Bus, Identity.Slot, Identity.Id, out error);
        _plugging = false;
        if (plugged)
        {
            _host.Trace(TraceEvent.Plug, Identity.Connection, (ulong)Identity.Slot, 0);
            return true;
        }

        _origin = null;
        _unplugging = true;
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
        _unplugging = true;
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

    /// <summary>The guest wrote to the configuration: everything but the driver's own fields is ignored.</summary>
    public void WriteConfig(ReadOnlySpan<byte> source)
    {
        if (source.Length < GuestAbi.Config.Rings)
        {
            return;
        }

        TakeAck(BinaryPrimitives.ReadUInt32LittleEndian(source[GuestAbi.Config.Ack..]));
        TakeDriver(
            BinaryPrimitives.ReadUInt64LittleEndian(source[GuestAbi.Config.Accept..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[GuestAbi.Config.Driver..]));
    }

    private void TakeAck(uint ack)
    {
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
        if (was && IsDriverReady)
        {
            return;
        }

        // A driver that finds no window gives up, or does not notice.
        bool known = _windowMissing;
        _windowMissing = (status & (DriverOkBit | FailedBit)) != 0 && windowAddress is < FourGibibytes or NoAddress;
        if (!IsDriverReady)
        {
            // A driver that was reset uses nothing any more.
            if (status == 0)
            {
                ForgetDriver();
            }

            LetGo();
        }
        else
        {
            ApplyDriver();
        }

        if (_windowMissing)
        {
            if (!known)
            {
                LogWindowMissing(windowAddress);
            }

            TakeDown(notify: true);
            return;
        }

        Evaluate();
        if (IsDriverReady)
        {
            RaiseRings(_shown);
        }
    }

    /// <summary>What the origin says about itself; may come before or after the start.</summary>
    internal void Describe(MacAddress originMac, ushort mtu)
    {
        if (!originMac.IsZero)
        {
            _config.OriginMac = originMac;
            if (Static is null)
            {
                _config.Mac = originMac.ToMirror();
            }
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

    /// <summary>The origin has more memory. What the driver uses does not change, so it is not told.</summary>
    internal bool TryShowMore(MemoryRegion region, IPeerFile file, out string error)
    {
        if (!IsUp || _window is not { } window)
        {
            // It comes with the rest.
            error = string.Empty;
            return true;
        }

        bool shown = window.TryMap(region.GuestAddress, file, region.FileOffset, region.Length, out error);
        if (shown)
        {
            _host.Trace(TraceEvent.Map, Number, region.GuestAddress, region.Length);
        }

        return shown;
    }

    /// <summary>More rings run, and those that ran before go on: nothing is withdrawn for it.</summary>
    internal void Extend()
    {
        if (!IsUp || _origin is not { } origin || _device is not { } device)
        {
            // They come with the others.
            return;
        }

        if (TryBindRings(origin, out bool[] added, out string error))
        {
            Publish(origin, device, added);
        }
        else
        {
            origin.OnDeviceFailed(error);
        }
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
        if (!_shown[ring] || _device is null || _origin is null)
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
        if (_shown[ring])
        {
            _device?.Bind(ring, endpoint, -1);
        }
    }

    /// <summary>The origin is gone: take everything down. A static device then waits, another is asked for after a while.</summary>
    /// <param name="unplugDelay">Milliseconds in which the origin may return to this device.</param>
    internal void Abandon(uint unplugDelay)
    {
        _wanted = false;
        TakeDown(notify: true);
        _origin = null;
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

    /// <summary>Gives the device to an origin: a static one to the next, another to the one that had it.</summary>
    internal void Adopt(IOrigin origin, ulong connection, PeerCredentials peer, OriginKey? key)
    {
        if (!IsFree)
        {
            throw new InvalidOperationException("the device is not free");
        }

        Identity = Identity with { Connection = connection, Peer = peer };
        Key = key;
        IsNew = false;
        SaidTooSmall = false;
        _origin = origin;
        _host.ArmTimer(Number, _awaited is null ? 0 : AckTimeout);
    }

    /// <summary>By what its origin is to be known again.</summary>
    internal void Remember(OriginKey? key) => Key = key;

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
        else if (_awaited is { } epoch)
        {
            DeviceLog.NotAcknowledged(_logger, Identity.Id, epoch, _config.Ack, AckTimeout / 1000);
        }
    }

    // Serial-number order: also right when the 32 bits have wrapped.
    private static bool IsLater(uint a, uint b) => unchecked((int)(a - b)) > 0;

    private void Evaluate()
    {
        if (!_wanted || IsUp || _linkOff || _windowMissing || _awaited is not null || _stage != DeviceStage.Ready
            || _origin is not { } origin || !Accepts(origin.Features) || _window is not { } window || _device is not { } device)
        {
            return;
        }

        if (!TryMap(origin, window, out string error) || !TryBindRings(origin, out bool[] added, out error))
        {
            _wanted = false;
            UnbindAll(device);
            window.Clear();
            origin.OnDeviceFailed(error);
            return;
        }

        IsUp = true;
        _config.SetLink(up: true, origin.Features);
        Publish(origin, device, added);
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
    private bool TryBindRings(IOrigin origin, out bool[] added, out string error)
    {
        added = new bool[RingCount];
        for (int i = 0; i < RingCount; i++)
        {
            if (i >= origin.RingCount || _shown[i])
            {
                continue;
            }

            Ring ring = origin.GetRing(i);
            added[i] = ring.IsInUse;
            if (added[i] && !(TryBind(i, RingEndpoint.Kick, ring) && TryBind(i, RingEndpoint.Call, ring)))
            {
                error = $"the eventfds of ring {i} could not be bound";
                return false;
            }
        }

        error = string.Empty;
        return true;
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
        uint epoch = _config.NextEpoch();
        _host.Trace(TraceEvent.Epoch, Number, epoch, 1);
        DeviceLog.LinkUp(_logger, Identity.Id, epoch, pairs);
        device.NotifyConfigChanged();
        RaiseRings(added);
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
        Array.Clear(_shown);
        _config.SetLink(up: false, features: 0);
        _config.SetQueuePairs(0);
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

    private void UnbindAll(IDeviceHost device)
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
        if (!IsAway && !IsLeaving)
        {
            // For those the timer is the one of the unplug request.
            _host.ArmTimer(Number, 0);
        }
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

    private void Forget()
    {
        Identity = Identity with { Connection = 0, Peer = default };
        Key = null;
        _config.OriginMac = default;
        _config.Mtu = 0;
        _config.NextEpoch();
        _device?.NotifyConfigChanged();
        _owner.OnVacated(this);
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
            DeviceLog.WindowNotPlaced(_logger, Identity.Id, Bytes.Format(WindowSize), _owner.DescribeRoom(this));
        }
        else
        {
            DeviceLog.WindowTooLow(_logger, Identity.Id, Bytes.Format(WindowSize), address);
        }
    }
}
