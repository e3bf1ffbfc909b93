// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Devices;
using VhostPci.Device.Limits;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;

namespace VhostPci.Device.Server;

/// <summary>A vhost-pci-server: accepts origins and gives each a device on its bridge.</summary>
public sealed class VhostPciServer : IReactor
{
    private readonly IHost _host;
    private readonly IListener _listener;
    private readonly FairShares _shares;
    private readonly DevicePool _pool;
    private readonly DeviceChooser _chooser;
    private readonly DescriptorBudget _descriptors;
    private readonly Listening _listening;
    private readonly ServerLogger _logger;
    private readonly List<Connection> _connections = [];
    private readonly List<MirrorDevice> _devices = [];
    private ulong _lastConnection;
    private bool _destroyed;

    internal VhostPciServer(
        IHost host, IServerHost bridge, IListener listener, IWindowFactory windows, ServerConfig config, BridgePlan plan, UidFilter uids,
        ILogger logger, TimeProvider time, IDumpFile? dump, IReadOnlyList<DeviceClass> classes, DescriptorBudget descriptors)
    {
        _host = host;
        _listener = listener;
        _descriptors = descriptors;
        Config = config;
        Plan = plan;
        Uids = uids;
        _logger = new ServerLogger(logger, config.LogLevel);
        var users = new UserAccounts(time, config, uids);
        var slots = new SlotMap(bridge, config, plan);
        _shares = new FairShares(config, uids, users, slots, _logger, _connections, _devices);
        _pool = new DevicePool(host, bridge, windows, config, slots, _logger, _devices, OnPlaceFree);
        _chooser = new DeviceChooser(config, slots, _shares, users, _pool, _logger, _devices);
        Number = host.Register(this);
        Desk = new OriginDesk(host, Number, config, _logger, users, _pool, _chooser, descriptors, classes, time, _connections, _devices)
        {
            Dump = dump is null ? null : new MessageDump(config.Id, dump, _logger, time),
        };
        _listening = new Listening(host, Number, listener, _logger, config.Id, time);
        _listening.Start();
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    internal ServerConfig Config { get; }

    internal BridgePlan Plan { get; }

    internal UidFilter Uids { get; }

    /// <summary>Minimum level that is logged.</summary>
    public LogLevel LogLevel
    {
        get => _logger.Level;
        set => _logger.Level = value;
    }

    /// <summary>Connections since the start.</summary>
    public ulong Accepted { get; private set; }

    /// <summary>Connections that were turned away or thrown out.</summary>
    public ulong Refused => Desk.Refused;

    /// <summary>Control messages since the start.</summary>
    public ulong Messages => Desk.Messages;

    /// <summary>Connections now.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Devices now, with those on their way out.</summary>
    public int DeviceCount => _devices.Count;

    /// <summary>What it does for its connections.</summary>
    internal OriginDesk Desk { get; }

    internal IReadOnlyList<Connection> Connections => _connections;

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
            _listening.Pause();
            throw;
        }
    }

    private void TakeConnections()
    {
        for (int i = 0; i < Budgets.AcceptsPerTurn && !_destroyed; i++)
        {
            bool hasRoom = _descriptors.CanAccept;
            _listening.OnRoom(hasRoom);
            if (!hasRoom)
            {
                return;
            }

            if (!_listener.TryAccept(out IChannel? channel, out bool outOfDescriptors) || channel is null)
            {
                if (outOfDescriptors)
                {
                    _listening.OnOutOfDescriptors();
                }

                return;
            }

            Accept(channel);
        }
    }

    /// <inheritdoc/>
    public void OnTimer() => _listening.Resume();

    /// <summary>The bridge goes: all connections end. Devices stay until the host releases them.</summary>
    public void Destroy()
    {
        if (_destroyed)
        {
            return;
        }

        _destroyed = true;
        Desk.IsClosing = true;
        AllSteps.Run(
            _listening.Stop,
            () => AllSteps.RunFor(_connections, static connection => connection.Close()),
            () => Desk.Dump?.Dispose(),
            () => _host.Unregister(Number));
    }

    /// <summary>Makes a device that is there from the start; the host attaches to it next.</summary>
    public bool TryCreateStatic(StaticConfig config, out MirrorDevice? device, out string error)
    {
        ArgumentNullException.ThrowIfNull(config);
        return _pool.TryCreateStatic(config, Desk.Classes[0], out device, out error);
    }

    /// <summary>Ends the first connection whose memory has lost pages.</summary>
    /// <param name="thoroughly">Also one where it takes an attempt to know.</param>
    internal bool CheckWindows(bool thoroughly) => _devices.ToArray().Any(device => device.CheckWindow(thoroughly));

    private void OnPlaceFree()
    {
        _chooser.OnPlaceFree();
        if (!_destroyed)
        {
            AllSteps.RunFor(_connections, static connection => connection.RetryPlug());
        }
    }

    private void Accept(IChannel channel)
    {
        Accepted++;
        bool admitted = false;
        try
        {
            string reason = "its user is not in allow-uid=";
            if (Uids.Allows(channel.Peer.Uid) && _shares.TryFindRoom(channel.Peer.Uid, out reason))
            {
                _connections.Add(new Connection(_host, Desk, channel, ++_lastConnection));
                _descriptors.Enter();
                admitted = true;
            }
            else
            {
                Desk.LogRefusal(channel.Peer, reason);
            }
        }
        finally
        {
            if (!admitted)
            {
                _descriptors.OriginsLeft.Dispose(channel);
            }
        }
    }
}
