// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Common;
using VhostPci.Device.Net;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>One vhost-pci-net: its configuration space, window, and the rule for when memory may appear and vanish (design D4, D5).</summary>
/// <remarks>
/// A withdrawal makes an epoch. The driver may use what the window showed until it has acknowledged that epoch, so nothing new
/// is laid into the window before; a driver that is not there or was reset has let go without a word.
/// </remarks>
public sealed partial class MirrorDevice : IReactor
{
    internal const uint AckTimeout = 5000;
    internal const ulong NoAddress = ulong.MaxValue;
    private const ulong FourGibibytes = 1UL << 32;
    private const uint DriverOkBit = 4;
    private const uint FailedBit = 0x80;

    private readonly IHost _host;
    private readonly IWindowFactory _windows;
    private readonly IDeviceOwner _owner;
    private readonly ILogger _logger;
    private readonly NetConfigSpace _config;
    private readonly bool[] _shown;
    private readonly RingFiles[] _files;

    private IOrigin? _origin;
    private IDeviceHost? _device;
    private IWindow? _window;
    private DeviceStage _stage = DeviceStage.Planned;
    private bool _plugging;
    private bool _wanted;
    private bool _windowMissing;
    private bool _saidNotPlaced;
    private bool _saidTooLow;
    private int _saidNotAcknowledged;
    private uint? _awaited;
    private int _unplugAttempts;
    private bool _hasOriginsAddress;
    private bool _unplugging;

    internal MirrorDevice(
        IHost host,
        IWindowFactory windows,
        IDeviceOwner owner,
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
        _files = new RingFiles[_shown.Length];
        Static = fixedConfig;
        MacAddress mac = fixedConfig?.Mac ?? default;
        _news.Mac = mac.IsZero ? owner.ChooseAddress(this, StableMac.FromName(identity.Named)) : mac;
        _config = new NetConfigSpace(RingCount, windowSize) { Mac = _news.Mac };
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

    internal bool IsOf(IOrigin origin) => _origin == origin;

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

    internal MacAddress Mac => _news.Mac;

    /// <summary>Its address is the user's or made from its origin's, or the guest uses it.</summary>
    internal bool KeepsAddress => Static is not null || _hasOriginsAddress || IsUp;

    /// <summary>Of the origin that it has or may get back; zero when not known.</summary>
    internal MacAddress OriginMac => _news.OriginMac;

    /// <summary>Whether the driver may use this ring now.</summary>
    internal bool IsShown(int ring) => _shown[ring];

    internal RingCounters GetCounters(int ring) => _device is { } device && _stage == DeviceStage.Ready ? device.GetCounters(ring) : default;

    /// <summary>Plugs the device in; the host attaches to it before this returns.</summary>
    internal bool TryPlug(IServerHost server, out string error)
    {
        bool plugged = false;
        _plugging = true;
        try
        {
            plugged = server.TryPlug(Number, Identity.Bus, Identity.Slot, Identity.Id, out error);
        }
        finally
        {
            _plugging = false;
            if (!plugged)
            {
                GiveUpPlug();
            }
        }

        if (plugged)
        {
            _host.Trace(TraceEvent.Plug, Identity.Connection, (ulong)Identity.Slot, 0);
        }

        return plugged;
    }

    private void GiveUpPlug()
    {
        _origin = null;
        _unplugging = true;
        _wanted = false;
        if (_stage == DeviceStage.Planned)
        {
            // The host never saw it, so nobody else will say that it is gone.
            Release();
        }
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

        IOrigin? origin = _plugging ? null : _origin;
        AllSteps.Run(
            () => TakeDown(notify: false),
            () =>
            {
                _stage = DeviceStage.Detached;
                _device = null;
                _awaited = null;
                _origin = null;
                _unplugging = true;
            },
            () => _host.ArmTimer(Number, 0),
            () => _owner.OnDetached(this),
            () => origin?.OnDeviceRemoved());
    }

    /// <summary>No vCPU can reach the window any more.</summary>
    public void Release()
    {
        if (_stage == DeviceStage.Released)
        {
            return;
        }

        AllSteps.Run(
            Detach,
            () => _stage = DeviceStage.Released,
            () => _window?.Dispose(),
            () => _window = null,
            () => _host.Unregister(Number),
            () => _owner.OnReleased(this));
    }
}
