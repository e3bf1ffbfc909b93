// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Devices;
using VhostPci.Device.Limits;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;
using static System.FormattableString;

namespace VhostPci.Device.Server;

/// <summary>What a server does for its connections, from the first message to the last.</summary>
internal sealed class OriginDesk(
    IHost host, ulong number, ServerConfig config, ILogger logger, UserAccounts users, DevicePool pool, DeviceChooser chooser,
    DescriptorBudget descriptors, IReadOnlyList<DeviceClass> classes, TimeProvider time, List<Connection> connections, List<MirrorDevice> devices)
    : IOriginServer
{
    public string Id => config.Id;

    public ILogger Logger => logger;

    public MessageDump? Dump { get; init; }

    public long Now => (long)time.GetElapsedTime(0).TotalMilliseconds;

    public bool AllowUnsealed => config.AllowUnsealed;

    public int QueuesMax => (int)config.QueuesMax;

    public IReadOnlyList<DeviceClass> Classes => classes;

    /// <summary>Control messages since the start.</summary>
    internal ulong Messages { get; private set; }

    /// <summary>Connections that were turned away or thrown out.</summary>
    internal ulong Refused { get; private set; }

    /// <summary>Why somebody was turned away last.</summary>
    internal string? LastRefusal { get; private set; }

    /// <summary>The bridge goes: nobody returns.</summary>
    internal bool IsClosing { get; set; }

    public ulong GetAccepted(DeviceClass deviceClass) => pool.GetAccepted(deviceClass);

    public RateBudget NewNewsBudget() => new(time, Budgets.NewsBurst, Budgets.NewsInterval);

    public bool HasRoomFor(int pairs) => descriptors.HasRoomFor(pairs);

    public void ChangePairs(int pairs) => descriptors.Change(pairs);

    public Verdict CheckDevice(Connection connection, ulong memoryEnd, out ulong windowSize)
        => chooser.Check(connection, FindDevice(connection), memoryEnd, out windowSize);

    public PlugResult TryGetDevice(Connection connection, ulong memoryEnd, out IMirrorDevice? device, out ulong windowSize, out string error)
    {
        PlugResult result = chooser.TryGet(connection, memoryEnd, out MirrorDevice? found, out windowSize, out error);
        device = found?.Side;
        return result;
    }

    public void VacateAll(Connection connection) => pool.VacateAll(connection, IsClosing ? 0 : config.UnplugMilliseconds);

    public void OnMessage() => Messages++;

    public void OnClosed(Connection connection, IChannel channel)
    {
        connections.Remove(connection);
        descriptors.Leave(channel);
    }

    public void LogRefusal(PeerCredentials peer, string reason)
    {
        host.Trace(TraceEvent.Refuse, number, unchecked((ulong)peer.Pid), peer.Uid);
        LastRefusal = Invariant($"pid {peer.Pid} uid {peer.Uid}: {reason}");
        Refused++;
        if (users[peer.Uid].Lines.TryTake(out ulong before))
        {
            ServerLog.Refused(logger, config.Id, peer.Pid, peer.Uid, reason, before == 0 ? string.Empty : Invariant($" ({before} refusals before were not shown)"));
        }
    }

    /// <summary>The device of a connection.</summary>
    internal MirrorDevice? FindDevice(Connection connection) => connection.Device is { } side ? devices.Find(device => device.Side == side) : null;

    /// <summary>The state of a connection, with what only its server knows.</summary>
    internal ConnectionState GetState(Connection connection)
    {
        // A guest that can place nothing at all may not even try a driver.
        return FindDevice(connection) is { IsDriverReady: false } device && pool.IsWithoutWindow(device) ? ConnectionState.NoWindow : connection.State;
    }
}
