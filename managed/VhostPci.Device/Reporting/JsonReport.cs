// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers;
using System.Text.Json;
using VhostPci.Protocol;

namespace VhostPci.Device.Reporting;

/// <summary>Writes a <see cref="Snapshot"/> as the VhostPciInfo of QEMU's monitor protocol.</summary>
internal static class JsonReport
{
    internal static byte[] Write(Snapshot snapshot)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartArray("servers");
            foreach (ServerSnapshot server in snapshot.Servers)
            {
                Write(json, server);
            }

            json.WriteEndArray();
            json.WriteStartArray("clients");
            foreach (ClientSnapshot client in snapshot.Clients)
            {
                Write(json, client);
            }

            json.WriteEndArray();
            Write(json, snapshot.Runtime);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(Utf8JsonWriter json, ServerSnapshot server)
    {
        json.WriteStartObject();
        json.WriteString("id", server.Id);
        json.WriteNumber("connections-max", server.ConnectionsMax);
        json.WriteNumber("accepted", server.Accepted);
        json.WriteNumber("refused", server.Refused);
        if (server.LastRefusal is { } refusal)
        {
            json.WriteString("last-refusal", refusal);
        }

        json.WriteNumber("slot-size", server.SlotSize);
        json.WriteString("log-level", server.LogLevel);
        if (server.AllowUid is { } uids)
        {
            json.WriteStartArray("allow-uid");
            foreach (uint uid in uids)
            {
                json.WriteNumberValue(uid);
            }

            json.WriteEndArray();
        }

        json.WriteStartArray("peers");
        foreach (PeerSnapshot peer in server.Peers)
        {
            Write(json, peer);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, PeerSnapshot peer)
    {
        json.WriteStartObject();
        json.WriteNumber("connection", peer.Connection);
        if (peer.Peer is { } process)
        {
            json.WriteNumber("pid", process.Pid);
            json.WriteNumber("uid", process.Uid);
            json.WriteNumber("gid", process.Gid);
        }

        json.WriteString("state", peer.State);
        json.WriteNumber("messages", peer.Messages);
        json.WriteNumber("features", peer.Features);
        json.WriteNumber("protocol-features", peer.ProtocolFeatures);
        if (peer.Device is { } plugged)
        {
            json.WriteString("device", plugged.Id);
            if (plugged.Slot >= 0)
            {
                json.WriteNumber("slot", plugged.Slot);
            }

            if (plugged.Bus is { } bus)
            {
                json.WriteString("bus", bus);
            }

            json.WriteBoolean("static", plugged.IsStatic);
        }

        if (peer.Name is { } name)
        {
            json.WriteString("name", name);
        }

        if (peer.Mac is { } mac)
        {
            json.WriteString("mac", mac);
        }

        if (peer.Origin is { } origin)
        {
            json.WriteString("origin-mac", origin.Mac);
            json.WriteString("origin-uuid", origin.Uuid.ToString());
            json.WriteNumber("mtu", origin.Mtu);
        }

        json.WriteStartArray("memory");
        foreach (MemoryRegion region in peer.Memory)
        {
            json.WriteStartObject();
            json.WriteNumber("address", region.GuestAddress);
            json.WriteNumber("size", region.Length);
            json.WriteNumber("offset", region.FileOffset);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        DeviceSnapshot? device = peer.Device;
        json.WriteNumber("window-size", device?.WindowSize ?? 0);
        json.WriteNumber("mapped", device?.Mapped ?? 0);
        json.WriteNumber("epoch", device?.Epoch ?? 0);
        json.WriteNumber("ack", device?.Ack ?? 0);
        json.WriteBoolean("link", device?.Link ?? false);
        json.WriteBoolean("driver-ok", device?.DriverOk ?? false);
        json.WriteBoolean("driver-link", device?.DriverLink ?? false);
        json.WriteNumber("accepted", device?.Accepted ?? 0);
        json.WriteStartArray("rings");
        foreach (RingSnapshot ring in peer.Rings)
        {
            Write(json, ring);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, in RingSnapshot ring)
    {
        json.WriteStartObject();
        json.WriteNumber("index", ring.Index);
        json.WriteNumber("size", ring.Size);
        json.WriteBoolean("enabled", ring.Enabled);
        json.WriteBoolean("running", ring.Running);
        json.WriteNumber("desc", ring.Desc);
        json.WriteNumber("avail", ring.Avail);
        json.WriteNumber("used", ring.Used);
        json.WriteNumber("avail-index", ring.AvailIndex);
        json.WriteNumber("used-index", ring.UsedIndex);
        json.WriteNumber("kicks", ring.Counters.Kicks);
        json.WriteNumber("interrupts", ring.Counters.Interrupts);
        json.WriteNumber("doorbells", ring.Counters.Doorbells);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ClientSnapshot client)
    {
        json.WriteStartObject();
        json.WriteString("id", client.Id);
        json.WriteString("state", client.State);
        json.WriteBoolean("link", client.Link);
        json.WriteNumber("features", client.Features);
        json.WriteNumber("offered", client.Offered);
        json.WriteBoolean("needs-reset", client.NeedsReset);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, in RuntimeFacts runtime)
    {
        json.WriteStartObject("runtime");
        json.WriteString("version", runtime.Version);
        json.WriteString("flavour", runtime.Flavour);
        json.WriteNumber("allocated", runtime.AllocatedBytes);
        json.WriteNumber("collections", runtime.Collections);
        json.WriteNumber("heap", runtime.HeapBytes);
        json.WriteNumber("first-call-us", runtime.FirstCallMicroseconds);
        json.WriteEndObject();
    }
}
