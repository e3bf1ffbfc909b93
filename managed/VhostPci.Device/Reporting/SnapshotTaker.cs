// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Clients;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;
using VhostPci.Device.Server;
using VhostPci.Protocol;

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
                PeerCredentials? process = device.State == DeviceState.Waiting ? null : device.Identity.Peer;
                peers.Add(AddDevice(
                    new PeerSnapshot(device.Class)
                    {
                        Connection = device.Identity.Connection,
                        Pid = process?.Pid,
                        Uid = process?.Uid,
                        Gid = process?.Gid,
                        State = NameOf(device.State),
                    },
                    device));
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

        var peer = new PeerSnapshot(session.Class)
        {
            Connection = connection.Id,
            Pid = connection.Peer.Pid,
            Uid = connection.Peer.Uid,
            Gid = connection.Peer.Gid,
            State = NameOf(server.Desk.GetState(connection)),
            Messages = connection.Messages,
            Features = session.EffectiveFeatures,
            ProtocolFeatures = session.ProtocolFeatures,
            Name = session.Info is { Name.Length: > 0 } named ? named.Name : null,
            Memory = [.. Enumerable.Range(0, session.Memory.Count).Select(i => Describe(session.Memory.GetRegion(i)))],
            Rings = rings,
        };
        if (session.Info is { } info && session.Part is NetOriginPart net)
        {
            peer = peer with { OriginMac = net.Mac.ToString(), OriginUuid = info.Uuid, Mtu = net.Mtu };
        }

        return device is null ? peer : AddDevice(peer, device);
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

    private static PeerSnapshot AddDevice(PeerSnapshot peer, MirrorDevice device) => peer with
    {
        Device = device.Identity.Id,
        Slot = device.Identity.Slot >= 0 ? device.Identity.Slot : null,
        Bus = device.Identity.Bus,
        Static = device.Static is not null,
        Mac = (device.Part as NetDevicePart)?.Mac.ToString(),
        WindowSize = device.WindowSize,
        Mapped = device.MappedBytes,
        Epoch = device.Epoch,
        Ack = device.Ack,
        Link = device.IsUp,
        DriverOk = device.IsDriverReady,
        DriverLink = device.Side.IsDriverLinkUp,
        Accepted = device.Class.Offered & device.Side.Accepted,
    };

    private static MemorySnapshot Describe(MemoryRegion region) => new(region.GuestAddress, region.Length, region.FileOffset);

    private static RingSnapshot Describe(int index, Session session, MirrorDevice? device)
    {
        Ring ring = session.GetRing(index);
        RingCounters counters = device?.GetCounters(index) ?? default;
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
            counters.Kicks,
            counters.Interrupts,
            counters.Doorbells);
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
