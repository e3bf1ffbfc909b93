// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>One PCI device of the mirror, from its plan until QEMU releases it: who has it, what state it is in, what it is made of.</summary>
public sealed class MirrorDevice : IReactor
{
    private readonly IHost _host;
    private readonly IWindowFactory _windows;
    private readonly IDeviceOwner _owner;
    private readonly DeviceStateMachine _states;
    private readonly DeviceLink _link;
    private readonly DriverWrites _writes;
    private readonly WindowPlacement _placement;
    private readonly WindowGuard _guard;
    private readonly Occupancy _occupancy;

    internal MirrorDevice(
        IHost host, IWindowFactory windows, IDeviceOwner owner, ILogger logger, DeviceClass deviceClass, DeviceIdentity identity, ulong windowSize, int rings,
        StaticConfig? fixedConfig = null)
    {
        _host = host;
        _windows = windows;
        _owner = owner;
        Class = deviceClass;
        Identity = identity;
        Static = fixedConfig;
        _states = new DeviceStateMachine(isStatic: fixedConfig is not null);
        Part = owner.CreatePart(this);
        Number = host.Register(this);
        _link = new DeviceLink(host, logger, this, _states, Part, windowSize, rings);
        _writes = new DriverWrites(host, this, _link, Part, _states, owner);
        _placement = new WindowPlacement(logger, identity.Id, windowSize, () => owner.DescribeRoom(this));
        _guard = new WindowGuard(this, _link);
        _occupancy = new Occupancy(host, logger, this, _link, _states, owner);
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    internal DeviceClass Class { get; }

    /// <summary>What is the device class's of it.</summary>
    internal DevicePart Part { get; }

    internal DeviceIdentity Identity { get; private set; }

    /// <summary>What the user said about a device that is there for ever; null for one that comes and goes with its origin.</summary>
    internal StaticConfig? Static { get; }

    /// <summary>Identifies a returning origin; null if it cannot be identified.</summary>
    internal OriginKey? Key => _occupancy.Key;

    internal IOrigin? Origin => _occupancy.Origin;

    /// <summary>How far the host is with it.</summary>
    internal DeviceStage Stage { get; private set; } = DeviceStage.Planned;

    /// <summary>The host's half; null before it attaches and after it detaches.</summary>
    internal IDeviceHost? Host { get; private set; }

    internal DeviceState State => _states.State;

    /// <summary>The same as its connection sees it.</summary>
    internal ConnectionState ConnectionState => State switch
    {
        DeviceState.NoWindow => ConnectionState.NoWindow,
        DeviceState.Up => ConnectionState.Running,
        _ when _link.IsWanted && Origin is { } origin && !Accepts(origin.Features) => ConnectionState.WaitingForFeatures,
        DeviceState.Awaiting when _link.IsWanted => ConnectionState.WaitingForDriver,
        _ => ConnectionState.Plugged,
    };

    internal ulong WindowSize => _link.Memory.Size;

    internal int RingCount => _link.Rings.Count;

    internal ulong MappedBytes => _link.Memory.MappedBytes;

    internal bool IsUp => _link.IsUp;

    internal bool IsDriverReady => _link.Driver.IsReady;

    /// <summary>Whether somebody serves the origin's rings at this end.</summary>
    internal bool IsDriverLinkUp => _link.Driver.IsLinkUp;

    /// <summary>Features of an origin that the driver accepts; all before it has said anything.</summary>
    internal ulong Accepted => _link.Driver.Accepted;

    internal uint Epoch => _link.Config.Epoch;

    internal uint Ack => _link.Config.Ack;

    /// <summary>QEMU has realized it: eventfds may be bound.</summary>
    internal bool IsReady => Stage == DeviceStage.Ready;

    /// <summary>Whether an origin could have it.</summary>
    internal bool IsFree => _states.IsVacant && Stage is DeviceStage.Attached or DeviceStage.Ready;

    /// <summary>Made for the origin that has it.</summary>
    internal bool IsNew => _occupancy.IsNew;

    /// <summary>The user has been warned that it does not suit somebody.</summary>
    internal bool HasWarnedOfMisfit
    {
        get => _occupancy.HasWarnedOfMisfit;
        set => _occupancy.HasWarnedOfMisfit = value;
    }

    internal bool Accepts(ulong features) => _link.Driver.Accepts(features);

    /// <summary>Whether the driver may use this ring now.</summary>
    internal bool IsShown(int ring) => _link.Rings.IsShown(ring);

    internal RingCounters GetCounters(int ring) => IsReady && Host is { } host ? host.GetCounters(ring) : default;

    /// <inheritdoc/>
    public void OnReady(int descriptor, DescriptorEvents events)
    {
        // It has a number for QEMU's calls and watches nothing.
    }

    /// <inheritdoc/>
    public void OnTimer()
    {
        // Each part has a timer of its own.
    }

    /// <summary>Plugs the device for its first origin; the host attaches to it before this returns.</summary>
    internal bool TryPlug(IServerHost server, IOrigin origin, OriginKey? key, out string error) => _occupancy.TryPlug(server, origin, key, out error);

    /// <summary>Gives the free device to an origin: a static one to the next, another to the one that had it.</summary>
    internal void Adopt(IOrigin origin, ulong connection, PeerCredentials peer, OriginKey? key)
    {
        Identity = Identity with { Connection = connection, Peer = peer };
        _occupancy.Adopt(origin, key);
    }

    /// <summary>The origin is gone.</summary>
    /// <param name="unplugDelay">Milliseconds in which it may return to this device.</param>
    internal void Vacate(uint unplugDelay) => _occupancy.Vacate(unplugDelay);

    /// <summary>Asks the guest for the device, without waiting for its origin any longer.</summary>
    internal void Unplug() => _occupancy.Unplug();

    /// <summary>Static, and nobody's.</summary>
    internal void ForgetPeer() => Identity = Identity with { Connection = 0, Peer = default };

    internal void Describe(MacAddress firstMac, MacAddress originMac, ushort mtu)
    {
        ((Net.NetDevicePart)Part).Introduce(firstMac, originMac, mtu, IsUp);
        _link.Steps.Change();
    }

    internal void Follow(MacAddress originMac)
    {
        ((Net.NetDevicePart)Part).Follow(originMac);
        _link.Steps.Change();
    }

    internal void Announce(MacAddress mac)
    {
        ((Net.NetDevicePart)Part).Announce(mac);
        _link.Steps.Change();
    }

    internal void Abandon(uint unplugDelay) => Vacate(unplugDelay);

    internal void Start() => _link.Start();

    internal void Stop() => _link.Stop();

    internal void Extend() => _link.Extend();

    internal bool TryShowMore(MemoryRegion region, IPeerFile file, out string error) => _link.TryShowMore(region, file, out error);

    internal bool TryRebind(int ring, RingEndpoint endpoint) => _link.TryRebind(ring, endpoint);

    internal void Unbind(int ring, RingEndpoint endpoint) => _link.Unbind(ring, endpoint);

    /// <summary>The class's part, or the origin's features, have changed.</summary>
    internal void ChangePart() => _link.Steps.Change();

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

        IOrigin? origin = null;
        AllSteps.Run(
            () => _link.Withdraw(notify: false),
            () =>
            {
                Stage = DeviceStage.Detached;
                Host = null;
                origin = _occupancy.Detach();
            },
            _link.LetGo,
            _occupancy.CancelDeparture,
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
            _occupancy.Release,
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

    /// <summary>Ends the connection when a page is gone that an access would need.</summary>
    /// <param name="thoroughly">Also finds out by trying; otherwise only what sizes tell.</param>
    /// <returns>Whether it is ended.</returns>
    internal bool CheckWindow(bool thoroughly) => _guard.Check(thoroughly);
}
