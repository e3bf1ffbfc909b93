// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Connections;
using VhostPci.Device.Net;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Server;

/// <summary>A vhost-pci-server: accepts origins and gives each a device on its bridge.</summary>
public sealed class VhostPciServer : IReactor, INetDeviceOwner
{
    /// <summary>Pause after the process has run out of descriptors, in milliseconds.</summary>
    internal const uint AcceptPause = 100;

    private const int AcceptsPerTurn = 16;

    private readonly IHost _host;
    private readonly IServerHost _bridge;
    private readonly IListener _listener;
    private readonly IWindowFactory _windows;
    private readonly SlotMap _slots;
    private readonly RefusalLog _refusals;
    private readonly ServerLogger _logger;
    private readonly List<Connection> _connections = [];
    private readonly List<NetDevice> _devices = [];
    private ulong _lastConnection;
    private int _lastStatic;
    private bool _outOfDescriptors;
    private bool _saidWaiting;
    private bool _saidDenied;
    private bool _destroyed;

    internal VhostPciServer(
        IHost host,
        IServerHost bridge,
        IListener listener,
        IWindowFactory windows,
        ServerConfig config,
        BridgePlan plan,
        UidFilter uids,
        ILogger logger,
        TimeProvider time,
        IDumpFile? dump)
    {
        _host = host;
        _bridge = bridge;
        _listener = listener;
        _windows = windows;
        _slots = new SlotMap(bridge, config, plan);
        _refusals = new RefusalLog(time);
        Config = config;
        Plan = plan;
        Uids = uids;
        _logger = new ServerLogger(logger, config.LogLevel);
        Dump = dump is null ? null : new MessageDump(config.Id, dump, _logger, time);
        Number = host.Register(this);
        host.Watch(Number, listener.Descriptor, DescriptorEvents.Read);
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    internal ServerConfig Config { get; }

    internal BridgePlan Plan { get; }

    internal UidFilter Uids { get; }

    /// <summary>Where messages are written, when the user wants them.</summary>
    internal MessageDump? Dump { get; }

    internal ILogger Logger => _logger;

    /// <summary>What is below is not shown.</summary>
    public LogLevel LogLevel
    {
        get => _logger.Level;
        set => _logger.Level = value;
    }

    /// <summary>Connections since the start.</summary>
    public ulong Accepted { get; private set; }

    /// <summary>Connections that were turned away or thrown out.</summary>
    public ulong Refused => _refusals.Total;

    /// <summary>Control messages since the start.</summary>
    public ulong Messages { get; private set; }

    /// <summary>Connections now.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Devices now, with those on their way out.</summary>
    public int DeviceCount => _devices.Count;

    /// <summary>Why somebody was turned away last.</summary>
    internal string? LastRefusal { get; private set; }

    /// <summary>Milliseconds; when the bridge goes nobody returns.</summary>
    internal uint UnplugDelay => _destroyed ? 0 : Config.UnplugDelay * 1000;

    internal IReadOnlyList<Connection> Connections => _connections;

    /// <summary>Devices that have not been released, with or without an origin.</summary>
    internal IReadOnlyList<NetDevice> Devices => _devices;

    /// <inheritdoc/>
    public void OnReady(int descriptor, DescriptorEvents events)
    {
        for (int i = 0; i < AcceptsPerTurn && !_destroyed; i++)
        {
            if (!_listener.TryAccept(out IChannel? channel, out bool outOfDescriptors) || channel is null)
            {
                if (outOfDescriptors)
                {
                    Pause();
                }

                return;
            }

            _outOfDescriptors = false;
            Accept(channel);
        }
    }

    /// <inheritdoc/>
    public void OnTimer()
    {
        if (!_destroyed)
        {
            _host.Watch(Number, _listener.Descriptor, DescriptorEvents.Read);
        }
    }

    /// <summary>The bridge goes: all connections end. Devices stay until the host releases them.</summary>
    public void Destroy()
    {
        if (_destroyed)
        {
            return;
        }

        _destroyed = true;
        _host.Watch(Number, _listener.Descriptor, DescriptorEvents.None);
        _host.ArmTimer(Number, 0);
        while (_connections.Count != 0)
        {
            _connections[^1].Close();
        }

        Dump?.Dispose();
        _host.Unregister(Number);
    }

    /// <summary>Makes a device that is there from the start; the host attaches to it next.</summary>
    public bool TryCreateStatic(StaticConfig config, out NetDevice? device, out string error)
    {
        ArgumentNullException.ThrowIfNull(config);
        device = null;
        ulong size = config.WindowSize == 0 ? Config.SlotSize : config.WindowSize;
        if (size < BridgePlanner.MinimumSlotSize || !ulong.IsPow2(size) || size > 1UL << ((int)Config.PhysBits - 1))
        {
            error = string.Create(
                CultureInfo.InvariantCulture,
                $"window-size={Bytes.Format(size)} must be a power of two, at least 4 GiB, and at most half of the {Config.PhysBits} physical address bits")
                + " of the CPU: a window below 4 GiB gets uncached from the x86 MTRRs";
            return false;
        }

        if (config.QueuePairs is < 1 or > GuestAbi.MaxQueuePairs)
        {
            error = string.Create(CultureInfo.InvariantCulture, $"queues={config.QueuePairs} must be between 1 and {GuestAbi.MaxQueuePairs}");
            return false;
        }

        if (config.Mac.IsMulticast)
        {
            error = $"mac={config.Mac} is a group address";
            return false;
        }

        if (!_slots.TryTakeAt(config.Bus, config.Slot, size, out SlotPlace? place))
        {
            error = string.Create(CultureInfo.InvariantCulture, $"slot {config.Slot} of bus {config.Bus} is in use");
            return false;
        }

        error = string.Empty;
        string id = config.Id ?? string.Create(CultureInfo.InvariantCulture, $"{Config.Id}.static{_lastStatic++}");
        device = new NetDevice(_host, _windows, this, null, Logger, new DeviceIdentity(id, place, 0, default), size, config);
        _devices.Add(device);
        return true;
    }

    string INetDeviceOwner.DescribeRoom(NetDevice device) => _slots.DescribeRoom(device.Identity.Place, device.WindowSize);

    /// <summary>What the guest's drivers have accepted last: a new origin is offered no more.</summary>
    internal ulong AcceptedFeatures { get; private set; } = ulong.MaxValue;

    void INetDeviceOwner.OnAccepted(ulong features) => AcceptedFeatures = features;

    void INetDeviceOwner.OnVacated(NetDevice device) => RetryAll();

    void INetDeviceOwner.OnDetached(NetDevice device)
    {
        if (device.Identity.Place is { } place)
        {
            _slots.Free(place, device.WindowSize);
        }
    }

    void INetDeviceOwner.OnReleased(NetDevice device)
    {
        _devices.Remove(device);
        RetryAll();
    }

    /// <summary>The firmware has left its bus without a window.</summary>
    internal bool IsWithoutWindow(NetDevice device) => device.Identity.Place is { } place && _bridge.GetWindow(place.Bus).IsDenied;

    internal void OnMessage() => Messages++;

    internal void OnClosed(Connection connection) => _connections.Remove(connection);

    internal void LogRefusal(Ports.PeerCredentials peer, string reason)
    {
        _host.Trace(TraceEvent.Refuse, Number, unchecked((ulong)peer.Pid), peer.Uid);
        LastRefusal = string.Create(CultureInfo.InvariantCulture, $"pid {peer.Pid} uid {peer.Uid}: {reason}");
        if (!_refusals.Count(out ulong hidden))
        {
            return;
        }

        if (hidden == 0)
        {
            ServerLog.Refused(Logger, Config.Id, peer.Pid, peer.Uid, reason);
        }
        else
        {
            ServerLog.RefusedAfterOthers(Logger, Config.Id, peer.Pid, peer.Uid, reason, hidden);
        }
    }

    /// <summary>Finds a device for a connection: the one that it had, a static one, or a new one.</summary>
    /// <param name="connection">Who needs it.</param>
    /// <param name="memoryEnd">What its window must show.</param>
    /// <param name="device">The device, when the result is <see cref="PlugResult.Plugged"/>.</param>
    /// <param name="windowSize">Bytes of its window, or of the one that it will get.</param>
    /// <param name="error">Why it is refused.</param>
    internal PlugResult TryGetDevice(Connection connection, ulong memoryEnd, out NetDevice? device, out ulong windowSize, out string error)
    {
        device = FindFormer(connection, memoryEnd) ?? FindStatic(connection, memoryEnd);
        if (device is not null)
        {
            windowSize = device.WindowSize;
            error = string.Empty;
            device.Adopt(connection, connection.Id, connection.Peer, connection.Key);
            return PlugResult.Plugged;
        }

        if (!Config.HasBridge)
        {
            return RefuseOrWait(memoryEnd, out windowSize, out error);
        }

        return WindowPlan.TryGetSize(memoryEnd, Config.SlotSize, _slots.LargestWindow, out windowSize, out error)
            ? TryCreateDevice(connection, windowSize, out device, out error)
            : PlugResult.Refused;
    }

    /// <summary>Only the one device that the socket belongs to could have taken it.</summary>
    private PlugResult RefuseOrWait(ulong memoryEnd, out ulong windowSize, out string error)
    {
        NetDevice? only = _devices.FirstOrDefault();
        windowSize = only?.WindowSize ?? 0;
        error = only is null || only.IsFree
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"it does not suit the device of this socket: memory up to 0x{memoryEnd:x} in a window of {Bytes.Format(windowSize)} (window-size=), queue pairs (queues=) or name (peer-name=)")
            : string.Empty;
        return error.Length == 0 ? PlugResult.Wait : PlugResult.Refused;
    }

    private NetDevice? FindFormer(Connection connection, ulong memoryEnd)
    {
        if (connection.Key is not { } key)
        {
            return null;
        }

        return _devices.FirstOrDefault(device => device.IsFree && device.IsAway && device.Key == key && device.WindowSize >= memoryEnd
            && device.RingCount >= connection.RingCount);
    }

    /// <summary>The first in order of definition that waits for this name, or else for any.</summary>
    private NetDevice? FindStatic(Connection connection, ulong memoryEnd)
    {
        NetDevice? any = null;
        foreach (NetDevice device in _devices)
        {
            if (!device.IsFree || device.Static is not { } config || (config.PeerName is not null && config.PeerName != connection.Name))
            {
                continue;
            }

            if (device.WindowSize < memoryEnd)
            {
                if (!device.SaidTooSmall)
                {
                    // Once until it has an origin, however often this one comes back.
                    device.SaidTooSmall = true;
                    ServerLog.StaticTooSmall(
                        Logger, device.Identity.Id, Bytes.Format(device.WindowSize), connection.Name, connection.Peer.Pid, connection.Peer.Uid, memoryEnd);
                }

                continue;
            }

            if (device.RingCount < connection.RingCount)
            {
                if (!device.SaidTooSmall)
                {
                    device.SaidTooSmall = true;
                    ServerLog.StaticTooFewQueues(
                        Logger, device.Identity.Id, device.RingCount / 2, connection.Name, connection.Peer.Pid, connection.Peer.Uid, connection.RingCount / 2);
                }

                continue;
            }

            if (config.PeerName is not null)
            {
                return device;
            }

            any ??= device;
        }

        return any;
    }

    private PlugResult TryCreateDevice(Connection connection, ulong windowSize, out NetDevice? device, out string error)
    {
        device = null;
        bool someLeave = _devices.Any(other => other.Identity.Place is not null && (other.IsLeaving || other.IsAway));
        if (!_slots.TryTake(windowSize, tight: !someLeave, out SlotPlace place, out bool hopeless, out error))
        {
            if (!someLeave || hopeless)
            {
                return PlugResult.Refused;
            }

            // Whoever is here now comes before those who may return.
            foreach (NetDevice away in _devices.Where(other => other.IsFree && other.IsAway).ToArray())
            {
                away.Leave();
            }

            // Once until something becomes free, however often origins come back.
            if (!_saidWaiting)
            {
                _saidWaiting = true;
                ServerLog.Waiting(Logger, Config.Id, connection.Peer.Pid, connection.Peer.Uid);
            }

            return PlugResult.Wait;
        }

        string id = connection.NextDeviceId(Config.Id);
        var candidate = new NetDevice(
            _host, _windows, this, connection, Logger, new DeviceIdentity(id, place, connection.Id, connection.Peer), windowSize);
        candidate.Remember(connection.Key);
        _devices.Add(candidate);
        if (!candidate.TryPlug(_bridge, out error))
        {
            error = $"its device could not be plugged: {error}";
            return PlugResult.Refused;
        }

        if (IsWithoutWindow(candidate) && !_saidDenied)
        {
            // Once: the firmware treats all alike, and only another start of the VM changes it.
            _saidDenied = true;
            ServerLog.WindowDenied(Logger, id, connection.Peer.Pid, connection.Peer.Uid, _slots.DescribeRoom(place, windowSize));
        }

        device = candidate;
        return PlugResult.Plugged;
    }

    private void RetryAll()
    {
        _saidWaiting = false;
        if (_destroyed)
        {
            return;
        }

        // A connection may end while it tries.
        foreach (Connection connection in _connections.ToArray())
        {
            connection.RetryPlug();
        }
    }

    private void Accept(IChannel channel)
    {
        Accepted++;
        string reason;
        if (!Uids.Allows(channel.Peer.Uid))
        {
            reason = "its user is not in allow-uid=";
        }
        else if (_connections.Count < Config.Connections)
        {
            _connections.Add(new Connection(_host, this, channel, ++_lastConnection));
            return;
        }
        else
        {
            reason = string.Create(CultureInfo.InvariantCulture, $"all {Config.Connections} connections are in use (raise connections=)");
        }

        LogRefusal(channel.Peer, reason);
        channel.Dispose();
    }

    private void Pause()
    {
        _host.Watch(Number, _listener.Descriptor, DescriptorEvents.None);
        _host.ArmTimer(Number, AcceptPause);
        if (!_outOfDescriptors)
        {
            _outOfDescriptors = true;
            ServerLog.OutOfDescriptors(Logger, Config.Id);
        }
    }
}
