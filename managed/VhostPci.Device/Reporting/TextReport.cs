// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;

namespace VhostPci.Device.Reporting;

/// <summary>Writes a <see cref="Snapshot"/> for people: <c>info vhost-pci</c>.</summary>
internal static class TextReport
{
    internal static string Write(Snapshot snapshot)
    {
        var text = new StringBuilder();
        foreach (ServerSnapshot server in snapshot.Servers)
        {
            Write(text, server);
        }

        foreach (ClientSnapshot client in snapshot.Clients)
        {
            Line(text, 0, $"client {client.Id}: {client.State}, link {UpDown(client.Link)}, features: {Features.Describe(client.Features)}");
        }

        if (snapshot.Servers.Count == 0 && snapshot.Clients.Count == 0)
        {
            Line(text, 0, $"no vhost-pci-server and no vhost-pci-client");
        }

        RuntimeFacts runtime = snapshot.Runtime;
        Line(
            text,
            0,
            $"library {runtime.Version} ({runtime.Flavour}): {runtime.AllocatedBytes} bytes allocated in total, {runtime.HeapBytes} in use, {runtime.Collections} collections");
        return text.ToString();
    }

    private static void Write(StringBuilder text, ServerSnapshot server)
    {
        Line(
            text,
            0,
            $"server {server.Id}: {server.Peers.Count(peer => peer.IsConnected)} of {server.ConnectionsMax} connections, {server.Refused} refused, slot size {Bytes.Format(server.SlotSize)}");
        if (server.LastRefusal is { } refusal)
        {
            Line(text, 2, $"refused last: {refusal}");
        }

        foreach (PeerSnapshot peer in server.Peers)
        {
            Write(text, peer);
        }
    }

    private static void Write(StringBuilder text, PeerSnapshot peer)
    {
        string name = peer.Name is null ? string.Empty : $" '{peer.Name}'";
        if (peer.Peer is { } process)
        {
            Line(text, 2, $"connection {peer.Connection}:{name} pid {process.Pid} uid {process.Uid}, {peer.State}");
        }
        else
        {
            Line(text, 2, $"no connection: {peer.State} for an origin");
        }

        if (peer.IsConnected)
        {
            Line(text, 4, $"features: {Features.Describe(peer.Features)}");
        }

        if (peer.Device is { } device)
        {
            Line(
                text,
                4,
                $"device {device.Id} {Place(device)}, MAC {peer.Mac}: link {UpDown(device.Link)}, driver {(device.DriverOk ? "ready" : "absent")}, epoch {device.Epoch} (acknowledged {device.Ack}), window {Bytes.Format(device.WindowSize)} of which {Bytes.Format(device.Mapped)} mapped");
        }

        foreach (RingSnapshot ring in peer.Rings)
        {
            Write(text, ring);
        }
    }

    private static void Write(StringBuilder text, in RingSnapshot ring)
    {
        string direction = (ring.Index & 1) == 0 ? "origin receives" : "origin sends";
        Line(
            text,
            4,
            $"ring {ring.Index} ({direction}): {ring.Size} entries, {(ring.Enabled ? "enabled" : "disabled")}, {(ring.Running ? "running" : "stopped")}");
        if (ring.Running)
        {
            Line(text, 6, $"desc 0x{ring.Desc:x} avail 0x{ring.Avail:x} (index {ring.AvailIndex}) used 0x{ring.Used:x} (index {ring.UsedIndex})");
        }

        Line(text, 6, $"kicks {ring.Counters.Kicks}, interrupts {ring.Counters.Interrupts}, doorbells {ring.Counters.Doorbells}");
    }

    private static string Place(DeviceSnapshot device)
        => device.Bus is { } bus ? $"on bus {bus}" : device.Slot >= 0 ? string.Create(CultureInfo.InvariantCulture, $"in slot {device.Slot}") : "(static)";

    private static string UpDown(bool up) => up ? "up" : "down";

    private static void Line(StringBuilder text, int indent, FormattableString line)
        => text.Append(' ', indent).Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
