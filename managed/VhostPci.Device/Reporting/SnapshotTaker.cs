// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Clients;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Origins;
using VhostPci.Device.Server;

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
            if (device.State is DeviceState.Leaving or DeviceState.Away or DeviceState.Waiting)
            {
                peers.Add(new PeerSnapshot(
                    device.Class,
                    device.Identity.Connection,
                    device.State == DeviceState.Waiting ? null : device.Identity.Peer,
                    NameOf(device.State),
                    0,
                    0,
                    0,
                    null,
                    (device.Part as NetDevicePart)?.Mac.ToString(),
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
            server.Desk.LastRefusal,
            server.Config.SlotSize,
            NameOf(server.LogLevel),
            server.Uids.Uids,
            peers);
    }

    private static PeerSnapshot Describe(VhostPciServer server, Connection connection)
    {
        Session session = connection.Session;
        MirrorDevice? device = server.Desk.FindDevice(connection);
        var rings = new RingSnapshot[session.RingCount];
        for (int i = 0; i < rings.Length; i++)
        {
            rings[i] = Describe(i, session, device);
        }

        return new PeerSnapshot(
            session.Class,
            connection.Id,
            connection.Peer,
            NameOf(server.Desk.GetState(connection)),
            connection.Messages,
            session.EffectiveFeatures,
            session.ProtocolFeatures,
            session.Info is { Name.Length: > 0 } named ? named.Name : null,
            (device?.Part as NetDevicePart)?.Mac.ToString(),
            session.Info is { } info && session.Part is NetOriginPart net ? new OriginSnapshot(net.Mac.ToString(), info.Uuid, net.Mtu) : null,
            [.. Enumerable.Range(0, session.Memory.Count).Select(session.Memory.GetRegion)],
            device is null ? null : Describe(device),
            rings);
    }

    // The monitor's names are those of the specification: the members' words with hyphens.
    private static string NameOf<T>(T state)
        where T : struct, Enum
        => JsonNamingPolicy.KebabCaseLower.ConvertName(state.ToString());

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warning",
        _ => "error",
    };

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
        device.Side.IsDriverLinkUp,
        device.Class.Offered & device.Side.Accepted);

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
