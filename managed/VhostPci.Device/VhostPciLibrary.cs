// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Clients;
using VhostPci.Device.Limits;
using VhostPci.Device.Net;
using VhostPci.Device.Ports;
using VhostPci.Device.Reporting;
using VhostPci.Device.Server;
using VhostPci.Protocol;
using static System.FormattableString;

namespace VhostPci.Device;

/// <summary>The root of the device logic: makes servers and clients and reports on all of them.</summary>
public sealed class VhostPciLibrary
{
    private readonly IHost _host;
    private readonly IWindowFactory _windows;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly List<VhostPciServer> _servers = [];
    private readonly List<VhostPciClient> _clients = [];

    private readonly IReadOnlyList<DeviceClass> _classes;

    /// <summary>Creates the library in a process.</summary>
    public VhostPciLibrary(IHost host, IWindowFactory windows, ILoggerFactory loggers, TimeProvider time)
        : this(host, windows, loggers, time, [new NetClass()])
    {
    }

    /// <summary>Creates the library with certain device classes; the first is that of static devices, and of origins that do not say what they are.</summary>
    internal VhostPciLibrary(IHost host, IWindowFactory windows, ILoggerFactory loggers, TimeProvider time, IReadOnlyList<DeviceClass> classes)
    {
        ArgumentNullException.ThrowIfNull(loggers);
        _classes = classes;
        _host = host;
        _windows = windows;
        _logger = loggers.CreateLogger("VhostPci");
        _time = time;
    }

    /// <summary>Sizes the bridges of a server that is not there yet, beside those that are.</summary>
    public bool TryPlan(ServerConfig config, out BridgePlan plan, out string error)
        => BridgePlanner.TryPlan(config, [.. _servers.Where(server => server.Config.HasBridge).Select(server => server.Plan)], out plan, out error);

    /// <summary>The descriptors that all servers share.</summary>
    public DescriptorBudget Descriptors { get; } = new();

    /// <summary>Creates a server on a listening socket, which stays the caller's; the dump file becomes the server's when there is one.</summary>
    public bool TryCreateServer(
        IServerHost bridge, IListener listener, ServerConfig config, out VhostPciServer? server, out string error, IDumpFile? dump = null)
    {
        ArgumentNullException.ThrowIfNull(listener);
        server = null;
        BridgePlan plan = default;
        if (config.HasBridge && !TryPlan(config, out plan, out error))
        {
            return false;
        }

        if (!UidFilter.TryParse(config.AllowUid, out UidFilter uids, out error))
        {
            return false;
        }

        if (config.UnplugDelay > Budgets.MaxUnplugDelay)
        {
            error = Invariant($"unplug-delay={config.UnplugDelay} is more than a day: {Budgets.MaxUnplugDelay} seconds are the most");
            return false;
        }

        if (config.QueuesMax is < 1 or > GuestAbi.MaxQueuePairs)
        {
            error = Invariant($"queues-max={config.QueuesMax} must be between 1 and {GuestAbi.MaxQueuePairs}");
            return false;
        }

        if (config.SocketPath is { } path && !listener.TrySetMode(path, uids.SocketMode(config.Uid), out string reason))
        {
            error = $"cannot set the permissions of the socket: {reason}";
            return false;
        }

        if (!Descriptors.TryAdd(config, out error))
        {
            return false;
        }

        try
        {
            server = new VhostPciServer(_host, bridge, listener, _windows, config, plan, uids, _logger, _time, dump, _classes, Descriptors);
        }
        catch
        {
            Descriptors.Remove(config);
            throw;
        }

        _servers.Add(server);
        return true;
    }

    /// <summary>Ends a server.</summary>
    public void Destroy(VhostPciServer server)
    {
        ArgumentNullException.ThrowIfNull(server);
        try
        {
            server.Destroy();
        }
        finally
        {
            if (_servers.Remove(server))
            {
                Descriptors.Remove(server.Config);
            }
        }
    }

    /// <summary>Creates the client of a virtio-net device.</summary>
    public VhostPciClient CreateClient(IClientHost device, ClientConfig config)
    {
        var client = new VhostPciClient(_host, device, config, _logger, _time, Descriptors.ServersLeft);
        _clients.Add(client);
        return client;
    }

    /// <summary>Ends a client.</summary>
    public void Destroy(VhostPciClient client)
    {
        ArgumentNullException.ThrowIfNull(client);
        try
        {
            client.Destroy();
        }
        finally
        {
            _clients.Remove(client);
        }
    }

    /// <summary>Ends the first connection whose memory has lost pages that an access in a window needs; whoever else has is found the next time.</summary>
    /// <returns>Whether there was one.</returns>
    public bool CheckWindows()
    {
        // A size tells without a touch; the rest has to be tried, which takes long and may allocate.
        return _servers.Exists(static server => server.CheckWindows(thoroughly: false))
            || _servers.Exists(static server => server.CheckWindows(thoroughly: true));
    }

    /// <summary>For people.</summary>
    public byte[] ReportText(RuntimeFacts runtime, bool verbose)
        => Encoding.UTF8.GetBytes(TextReport.Write(SnapshotTaker.Take(_servers, _clients, runtime), verbose));

    /// <summary>For programs.</summary>
    public byte[] ReportJson(RuntimeFacts runtime) => JsonReport.Write(SnapshotTaker.Take(_servers, _clients, runtime));
}
