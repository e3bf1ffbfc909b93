// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Net;

namespace VhostPci.Device.Reporting;

/// <summary>Writes a <see cref="Snapshot"/> for people: <c>info vhost-pci</c>.</summary>
internal sealed class TextReport
{
    private readonly StringBuilder _text = new();
    private readonly bool _verbose;

    private TextReport(bool verbose) => _verbose = verbose;

    /// <param name="snapshot">What to show.</param>
    /// <param name="verbose"><c>-v</c>: all that <c>query-vhost-pci</c> has.</param>
    internal static string Write(Snapshot snapshot, bool verbose)
    {
        var report = new TextReport(verbose);
        report.Write(snapshot);
        return report._text.ToString();
    }

    private void Write(Snapshot snapshot)
    {
        foreach (ServerSnapshot server in snapshot.Servers)
        {
            Write(server);
        }

        foreach (ClientSnapshot client in snapshot.Clients)
        {
            Line(0, $"client {client.Id}: {client.State}, link {UpDown(client.Link)}{(client.NeedsReset ? ", its driver needs a reset" : string.Empty)}, features: {NetFeatureNames.Format(client.Features)}");
            Details(2, $"offered to its driver: {NetFeatureNames.Format(client.Offered)}");
        }

        if (snapshot.Servers.Count == 0 && snapshot.Clients.Count == 0)
        {
            Line(0, $"no vhost-pci-server and no vhost-pci-client");
        }

        RuntimeFacts runtime = snapshot.Runtime;
        Line(
            0,
            $"library {runtime.Version} ({runtime.Flavour}): {runtime.AllocatedBytes} bytes allocated in total, {runtime.HeapBytes} in use, {runtime.Collections} collections");
    }

    private void Write(ServerSnapshot server)
    {
        Line(
            0,
            $"server {server.Id}: {server.Peers.Count(peer => peer.IsConnected)} of {server.ConnectionsMax} connections, {server.Refused} refused, slot size {Bytes.Format(server.SlotSize)}");
        Details(2, $"{server.Accepted} connections since the start, log level {server.LogLevel}, users: {Users(server.AllowUid)}");
        if (server.LastRefusal is { } refusal)
        {
            Line(2, $"refused last: {refusal}");
        }

        foreach (PeerSnapshot peer in server.Peers)
        {
            Write(peer);
        }
    }

    private void Write(PeerSnapshot peer)
    {
        string name = peer.Name is null ? string.Empty : $" '{peer.Name}'";
        if (peer.Pid is { } pid)
        {
            Line(2, $"connection {peer.Connection}:{name} pid {pid} uid {peer.Uid}, {peer.State}");
            Details(4, $"gid {peer.Gid}, {peer.Messages} messages");
        }
        else
        {
            Line(2, $"no connection: {peer.State} for an origin");
        }

        if (peer.IsConnected)
        {
            Line(4, $"features: {peer.Class.Format(peer.Features)}");
            Details(4, $"protocol features: {FeatureNames.FormatProtocol(peer.ProtocolFeatures)}");
        }

        if (peer.OriginMac is { } mac)
        {
            Details(4, $"origin MAC {mac}, UUID {peer.OriginUuid}, MTU {peer.Mtu}");
        }

        foreach (MemorySnapshot region in peer.Memory)
        {
            Details(4, $"memory 0x{region.Address:x} to 0x{region.Address + region.Size - 1:x} ({Bytes.Format(region.Size)}), at 0x{region.Offset:x} of its file");
        }

        if (peer.Device is not null)
        {
            Line(
                4,
                $"device {peer.Device} {Place(peer)}, MAC {peer.Mac}: link {UpDown(peer.Link)}, driver {(peer.DriverOk ? "ready" : "absent")}, epoch {peer.Epoch} (acknowledged {peer.Ack}), window {Bytes.Format(peer.WindowSize)} of which {Bytes.Format(peer.Mapped)} mapped");
            Details(4, $"driver's end {UpDown(peer.DriverLink)}, it accepts: {peer.Class.Format(peer.Accepted)}");
        }

        foreach (RingSnapshot ring in peer.Rings)
        {
            Write(peer.Class, ring);
        }
    }

    private void Write(DeviceClass deviceClass, in RingSnapshot ring)
    {
        Line(
            4,
            $"ring {ring.Index} ({deviceClass.DescribeRing(ring.Index)}): {ring.Size} entries, {(ring.Enabled ? "enabled" : "disabled")}, {(ring.Running ? "running" : "stopped")}");
        if (ring.Running)
        {
            Details(6, $"desc 0x{ring.Desc:x} avail 0x{ring.Avail:x} (index {ring.AvailIndex}) used 0x{ring.Used:x} (index {ring.UsedIndex})");
        }

        Details(6, $"kicks {ring.Kicks}, interrupts {ring.Interrupts}, doorbells {ring.Doorbells}");
    }

    private static string Users(IReadOnlyList<uint>? uids)
        => uids is null ? "whoever may open the socket" : string.Join(' ', uids.Select(uid => uid.ToString(CultureInfo.InvariantCulture)));

    private static string Place(PeerSnapshot peer)
        => peer.Slot is not { } slot ? "(static)" : string.Create(CultureInfo.InvariantCulture, $"in slot {slot}") + (peer.Bus is { } bus ? $" on bus {bus}" : string.Empty);

    private static string UpDown(bool up) => up ? "up" : "down";

    private void Details(int indent, FormattableString line)
    {
        if (_verbose)
        {
            Line(indent, line);
        }
    }

    private void Line(int indent, FormattableString line)
        => _text.Append(' ', indent).Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
