// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Clients;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Origins;
using VhostPci.Device.Server;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Reporting;

/// <summary>Gathers a <see cref="Snapshot"/>.</summary>
internal static class SnapshotTaker
{
    internal static Snapshot Take(IEnumerable<VhostPciServer> servers, IEnumerable<VhostPciClient> clients, RuntimeFacts runtime)
        => new([.. servers.Select(Describe)], [.. clients.Select(Describe)], runtime);

    private static ServerSnapshot Describe(VhostPciServer server)
    {
        var peers = new List<PeerSnapshot>();
        foreach (Connection connection in server.Connections)
        {
            peers.Add(Describe(server, connection));
        }

        foreach (MirrorDevice device in server.Devices)
        {
            string? state = device.State switch
            {
                DeviceState.Leaving => "leaving",
                DeviceState.Away => "away",
                DeviceState.Waiting => "waiting",
                _ => null,
            };
            if (state is not null)
            {
                peers.Add(new PeerSnapshot(
                    device.Identity.Connection,
                    device.State == DeviceState.Waiting ? null : device.Identity.Peer,
                    state,
                    0,
                    0,
                    0,
                    null,
                    ((NetDevicePart)device.Part).Mac.ToString(),
                    null,
                    [],
                    Describe(device),
                    []));
            }
        }

        return new ServerSnapshot(
            server.Config.Id,
            server.Config.Connections,
            server.Accepted,
            server.Refused,
            server.LastRefusal,
            server.Config.SlotSize,
            NameOf(server.LogLevel),
            server.Uids.Uids,
            peers);
    }

    private static PeerSnapshot Describe(VhostPciServer server, Connection connection)
    {
        Session session = connection.Session;
        MirrorDevice? device = connection.Device;
        var rings = new RingSnapshot[session.RingCount];
        for (int i = 0; i < rings.Length; i++)
        {
            rings[i] = Describe(i, session, device);
        }

        return new PeerSnapshot(
            connection.Id,
            connection.Peer,
            StateOf(server, connection),
            connection.Messages,
            session.EffectiveFeatures,
            session.ProtocolFeatures,
            session.Info is { Name.Length: > 0 } named ? named.Name : null,
            (device?.Part as NetDevicePart)?.Mac.ToString(),
            session.Info is { } info ? new OriginSnapshot(session.Mac.ToString(), info.Uuid, session.Mtu) : null,
            [.. Enumerable.Range(0, session.Memory.Count).Select(session.Memory.GetRegion)],
            device is null ? null : Describe(device),
            rings);
    }

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warning",
        _ => "error",
    };

    private static string StateOf(VhostPciServer server, Connection connection)
    {
        if (connection.Device is not { } device)
        {
            return connection.IsWaitingForSlot ? "waiting-for-slot" : "negotiating";
        }

        // A guest that can place nothing at all may not even try a driver.
        ConnectionState state = !device.IsDriverReady && server.IsWithoutWindow(device) ? ConnectionState.NoWindow : device.ConnectionState;
        return state switch
        {
            ConnectionState.NoWindow => "no-window",
            ConnectionState.Running => "running",
            ConnectionState.WaitingForFeatures => "waiting-for-features",
            ConnectionState.WaitingForDriver => "waiting-for-driver",
            _ => "plugged",
        };
    }

    private static DeviceSnapshot Describe(MirrorDevice device) => new(
        device.Identity.Id,
        device.Identity.Slot,
        device.Static is not null,
        device.Identity.Bus,
        device.WindowSize,
        device.MappedBytes,
        device.Epoch,
        device.Ack,
        device.IsUp,
        device.IsDriverReady,
        device.IsDriverLinkUp,
        VirtioNetFeatures.Offered & device.Accepted);

    private static RingSnapshot Describe(int index, Session session, MirrorDevice? device)
    {
        Ring ring = session.GetRing(index);
        ushort avail = 0;
        ushort used = 0;
        bool running = device is not null && device.IsShown(index);
        if (running)
        {
            (avail, used) = session.ReadIndices(ring);
        }

        return new RingSnapshot(
            index,
            ring.Size,
            ring.IsEnabled,
            running,
            running ? ring.Placement.Desc : 0,
            running ? ring.Placement.Avail : 0,
            running ? ring.Placement.Used : 0,
            avail,
            used,
            device?.GetCounters(index) ?? default);
    }

    private static ClientSnapshot Describe(VhostPciClient client) => new(
        client.Config.Id,
        client.State switch
        {
            ClientState.Disconnected or ClientState.Lost => "disconnected",
            ClientState.Connected => "connected",
            ClientState.Unusable => "unusable",
            _ => "negotiating",
        },
        client.IsLinkUp,
        client.AcknowledgedFeatures,
        client.AllowedFeatures,
        client.NeedsReset);
}
