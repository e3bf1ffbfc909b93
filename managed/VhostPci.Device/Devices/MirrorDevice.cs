// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Devices;

/// <summary>One PCI device of the mirror, from its plan until QEMU releases it: who has it, what state it is in, what it is made of.</summary>
public sealed class MirrorDevice : IReactor, IClassDevice
{
    private readonly IHost _host;
    private readonly IWindowFactory _windows;
    private readonly IDeviceOwner _owner;
    private readonly DeviceStateMachine _states;
    private readonly DeviceLink _link;
    private readonly DriverWrites _writes;
    private readonly WindowPlacement _placement;
    private readonly WindowGuard _guard;

    internal MirrorDevice(
        IHost host, IWindowFactory windows, IDeviceOwner owner, ILogger logger, DeviceClass deviceClass, DeviceIdentity identity, ulong windowSize, int rings, StaticConfig? fixedConfig = null)
    {
        _host = host;
        _windows = windows;
        _owner = owner;
        Class = deviceClass;
        Identity = identity;
        Static = fixedConfig;
        _states = new DeviceStateMachine(isStatic: fixedConfig is not null);
        Number = host.Register(this);
        Part = deviceClass.CreateDevicePart(this);
        _link = new DeviceLink(host, logger, this, _states, Part, windowSize, rings);
        _writes = new DriverWrites(host, this, _link, Part, _states, owner);
        _placement = new WindowPlacement(logger, identity.Id, windowSize, () => owner.DescribeRoom(this));
        _guard = new WindowGuard(this, _link);
        Occupancy = new Occupancy(host, logger, this, _link, _states, owner);
        Side = new OriginSide(this, _link, _states, Occupancy);
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    internal DeviceClass Class { get; }

    /// <summary>What is the device class's of it.</summary>
    internal DevicePart Part { get; }

    /// <summary>What its origin sees of it.</summary>
    internal IMirrorDevice Side { get; }

    internal DeviceIdentity Identity { get; private set; }

    /// <summary>What the user said about a device that is there for ever; null for one that comes and goes with its origin.</summary>
    internal StaticConfig? Static { get; }

    /// <summary>How an origin gets it, and who has it.</summary>
    internal Occupancy Occupancy { get; }

    internal Connection? Origin => Occupancy.Origin;

    /// <summary>How far the host is with it.</summary>
    internal DeviceStage Stage { get; private set; } = DeviceStage.Planned;

    /// <summary>The host's half; null before it attaches and after it detaches.</summary>
    internal IDeviceHost? Host { get; private set; }

    internal DeviceState State => _states.State;

    internal ulong WindowSize => _link.Memory.Size;

    internal int RingCount => _link.Rings.Count;

    internal ulong MappedBytes => _link.Memory.MappedBytes;

    internal bool IsUp => _states.Link == DeviceState.Up;

    internal bool IsDriverReady => _link.Driver.IsReady;

    internal uint Epoch => _link.Config.Epoch;

    internal uint Ack => _link.Config.Ack;

    /// <summary>QEMU has realized it: eventfds may be bound.</summary>
    internal bool IsReady => Stage == DeviceStage.Ready;

    /// <summary>Whether an origin could have it.</summary>
    internal bool IsFree => _states.IsVacant && Stage is DeviceStage.Attached or DeviceStage.Ready;

    /// <summary>Whether the driver may use this ring now.</summary>
    internal bool IsShown(int ring) => _link.Rings.IsShown(ring);

    internal RingCounters GetCounters(int ring) => IsReady && Host is { } host ? host.GetCounters(ring) : default;

    string IClassDevice.Named => Identity.Named;

    bool IClassDevice.IsStatic => Static is not null;

    ClassOptions? IClassDevice.Options => Static?.Options;

    bool IClassDevice.IsUp => IsUp;

    bool IClassDevice.IsLeaving => State == DeviceState.Leaving;

    /// <summary>Gives the free device to an origin: a static one to the next, another to the one that had it.</summary>
    internal void Adopt(Connection origin, ulong connection, PeerCredentials peer, OriginKey? key)
    {
        Identity = Identity with { Connection = connection, Peer = peer };
        Occupancy.Adopt(origin, key);
    }

    /// <summary>Static, and nobody's.</summary>
    internal void ForgetPeer() => Identity = Identity with { Connection = 0, Peer = default };

    /// <summary>The host realizes the device: reserve its window.</summary>
    public bool TryAttach(IDeviceHost device, out DevicePlan plan, out string error)
    {
        plan = default;
        if (Stage != DeviceStage.Planned)
        {
            error = "this vhost-pci device is in use already";
            return false;
        }

        if (!_link.Memory.TryReserve(_windows, out nint address, out error))
        {
            return false;
        }

        Host = device;
        Stage = DeviceStage.Attached;
        plan = new DevicePlan(address, WindowSize, RingCount, _link.Config.Size);
        return true;
    }

    /// <summary>The device is realized: eventfds may be bound.</summary>
    public void Ready()
    {
        if (Stage == DeviceStage.Attached)
        {
            Stage = DeviceStage.Ready;
            _link.Show();
        }
    }

    /// <summary>The host takes the device off its bus: unbind everything, make the window anonymous.</summary>
    public void Detach()
    {
        if (Stage is DeviceStage.Detached or DeviceStage.Released)
        {
            return;
        }

        Connection? origin = null;
        AllSteps.Run(
            () => _link.Withdraw(notify: false),
            () =>
            {
                Stage = DeviceStage.Detached;
                Host = null;
                origin = Occupancy.Detach();
            },
            _link.LetGo,
            Occupancy.Departure.Cancel,
            () => _owner.OnDetached(this),
            () => origin?.OnDeviceRemoved());
    }

    /// <summary>No vCPU can reach the window any more.</summary>
    public void Release()
    {
        if (Stage == DeviceStage.Released)
        {
            return;
        }

        AllSteps.Run(
            Detach,
            () =>
            {
                Stage = DeviceStage.Released;
                _states.Move(DeviceEvent.Released);
            },
            _link.Release,
            Occupancy.Departure.Release,
            Part.Release,
            () => _host.Unregister(Number),
            () => _owner.OnReleased(this));
    }

    /// <summary>Copies the configuration; allocates nothing.</summary>
    public void ReadConfig(Span<byte> destination) => _link.Config.CopyTo(destination);

    /// <summary>The guest wrote to the configuration.</summary>
    public void WriteConfig(ReadOnlySpan<byte> source) => _writes.Take(source);

    /// <summary>The guest wrote the virtio device status.</summary>
    /// <param name="status">The status byte.</param>
    /// <param name="windowAddress">Guest-physical address of BAR 2, or all ones.</param>
    public void SetStatus(uint status, ulong windowAddress)
    {
        _host.Trace(TraceEvent.Status, Number, status, 0);
        if (!_link.Driver.SetStatus(status))
        {
            return;
        }

        bool missing = WindowPlacement.IsMissing(status, windowAddress);
        if (missing)
        {
            _placement.Warn(windowAddress);
        }

        _writes.OnStatus(missing);
    }

    /// <summary>The mirror's user switches the link off and on.</summary>
    public void SetLink(bool up)
    {
        if (!_link.Driver.Switch(up))
        {
            return;
        }

        if (!up)
        {
            _link.Withdraw(notify: true);
        }

        Origin?.OnDriverChanged();
        _link.Show();
    }

    /// <summary>An access has found a page gone, and the host has made the window anonymous.</summary>
    public void OnWindowFault() => _guard.OnFault();

    /// <inheritdoc cref="WindowGuard.Check"/>
    internal bool CheckWindow(bool thoroughly) => _guard.Check(thoroughly);
}
