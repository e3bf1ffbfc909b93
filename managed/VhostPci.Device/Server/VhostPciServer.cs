// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Devices;
using VhostPci.Device.Limits;
using VhostPci.Device.Net;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Server;

/// <summary>A vhost-pci-server: accepts origins and gives each a device on its bridge.</summary>
public sealed partial class VhostPciServer : IReactor, IDeviceOwner
{
    private readonly DeviceClass _class = new NetClass();
    private readonly IHost _host;
    private readonly IServerHost _bridge;
    private readonly IListener _listener;
    private readonly IWindowFactory _windows;
    private readonly SlotMap _slots;
    private readonly UserAccounts _users;
    private readonly LineBudget _pauses;
    private readonly TimeProvider _time;
    private readonly ServerLogger _logger;
    private readonly IReadOnlyCollection<VhostPciServer> _servers;
    private readonly List<Connection> _connections = [];
    private readonly List<MirrorDevice> _devices = [];
    private ulong _lastConnection;
    private int _lastStatic;
    private bool _saidWaiting;
    private bool _saidDenied;
    private bool _waitsForCloses;
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
        IDumpFile? dump,
        IReadOnlyCollection<VhostPciServer> servers,
        DescriptorBudget descriptors)
    {
        _host = host;
        _bridge = bridge;
        _listener = listener;
        _windows = windows;
        _slots = new SlotMap(bridge, config, plan);
        _users = new UserAccounts(time, config, uids);
        _pauses = new LineBudget(time, 1, Budgets.LogPeriod);
        _time = time;
        _servers = servers;
        Descriptors = descriptors;
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
    public ulong Refused { get; private set; }

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

    /// <summary>The process's descriptors.</summary>
    internal DescriptorBudget Descriptors { get; }

    /// <summary>Limits what the mirror's guest can send to one origin.</summary>
    internal RateBudget NewNewsBudget() => new(_time, Budgets.NewsBurst, Budgets.NewsInterval);

    /// <summary>Milliseconds of a clock that only goes forward.</summary>
    internal long Now => (long)_time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>Devices that have not been released, with or without an origin.</summary>
    internal IReadOnlyList<MirrorDevice> Devices => _devices;

    /// <inheritdoc/>
    public void OnReady(int descriptor, DescriptorEvents events)
    {
        try
        {
            TakeConnections();
        }
        catch
        {
            // A server must hear again, whatever went wrong: the same may not go wrong with the next connection.
            Pause();
            throw;
        }
    }

    private void TakeConnections()
    {
        for (int i = 0; i < Budgets.AcceptsPerTurn && !_destroyed; i++)
        {
            if (!Descriptors.CanAccept)
            {
                WaitForCloses();
                return;
            }

            _waitsForCloses = false;

            if (!_listener.TryAccept(out IChannel? channel, out bool outOfDescriptors) || channel is null)
            {
                if (outOfDescriptors)
                {
                    Pause(ServerLog.OutOfDescriptors);
                }

                return;
            }

            Accept(channel);
        }
    }

    /// <inheritdoc/>
    public void OnTimer()
    {
        if (_destroyed)
        {
            return;
        }

        try
        {
            _host.Watch(Number, _listener.Descriptor, DescriptorEvents.Read);
        }
        catch
        {
            _host.ArmTimer(Number, Budgets.AcceptPause);
            throw;
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
        AllSteps.Run(
            () => _host.Watch(Number, _listener.Descriptor, DescriptorEvents.None),
            () => _host.ArmTimer(Number, 0),
            () => AllSteps.RunFor(_connections, static connection => connection.Close()),
            () => Dump?.Dispose(),
            () => _host.Unregister(Number));
    }

    string IDeviceOwner.DescribeRoom(MirrorDevice device) => _slots.DescribeRoom(device.Identity.Place, device.WindowSize);

    /// <summary>What the guest's drivers have accepted last: a new origin is offered no more.</summary>
    internal ulong AcceptedFeatures { get; private set; } = ulong.MaxValue;

    void IDeviceOwner.OnAccepted(DeviceClass deviceClass, ulong features) => AcceptedFeatures = features;

    /// <summary>The firmware has left its bus without a window.</summary>
    internal bool IsWithoutWindow(MirrorDevice device) => device.Identity.Place is { } place && _bridge.GetWindow(place.Bus).IsDenied;

    internal void OnMessage() => Messages++;

    internal void OnClosed(Connection connection, IChannel channel)
    {
        _connections.Remove(connection);
        Descriptors.Leave(channel);
    }

    internal void LogRefusal(Ports.PeerCredentials peer, string reason)
    {
        _host.Trace(TraceEvent.Refuse, Number, unchecked((ulong)peer.Pid), peer.Uid);
        LastRefusal = string.Create(CultureInfo.InvariantCulture, $"pid {peer.Pid} uid {peer.Uid}: {reason}");
        Refused++;
        if (!_users[peer.Uid].Lines.TryTake(out ulong hidden))
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

    /// <summary>Only the one device that the socket belongs to could have taken it.</summary>
    private PlugResult RefuseOrWait(ulong memoryEnd, MirrorDevice? mine, out ulong windowSize, out string error)
    {
        MirrorDevice? only = _devices.FirstOrDefault();
        windowSize = only?.WindowSize ?? 0;
        error = only is null || only == mine || only.IsFree
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"it does not suit the device of this socket: memory up to 0x{memoryEnd:x} in a window of {Bytes.Format(windowSize)} (window-size=), queue pairs (queues=) or name (peer-name=)")
            : string.Empty;
        return error.Length == 0 ? PlugResult.Wait : PlugResult.Refused;
    }

    private void Accept(IChannel channel)
    {
        Accepted++;
        bool admitted = false;
        try
        {
            string reason = "its user is not in allow-uid=";
            if (Uids.Allows(channel.Peer.Uid) && TryFindRoom(channel.Peer.Uid, out reason))
            {
                _connections.Add(new Connection(_host, this, channel, ++_lastConnection));
                Descriptors.Enter();
                admitted = true;
            }
            else
            {
                LogRefusal(channel.Peer, reason);
            }
        }
        finally
        {
            if (!admitted)
            {
                Descriptors.OriginsLeft.Dispose(channel);
            }
        }
    }

    /// <summary>Does not listen for a moment. The timer comes first: with it alone the server would at least hear again.</summary>
    private void Pause(uint milliseconds = Budgets.AcceptPause)
    {
        if (!_destroyed)
        {
            _host.ArmTimer(Number, milliseconds);
            _host.Watch(Number, _listener.Descriptor, DescriptorEvents.None);
        }
    }

    /// <summary>Most of what has just been left is closed in a moment: only what is not is worth a word.</summary>
    private void WaitForCloses()
    {
        if (_waitsForCloses)
        {
            Pause(ServerLog.TooManyClosing);
        }
        else
        {
            Pause(Budgets.UnclosedPause);
        }

        _waitsForCloses = true;
    }

    private void Pause(Action<ILogger, string> say)
    {
        Pause();
        if (_pauses.TryTake(out _))
        {
            say(Logger, Config.Id);
        }
    }
}
