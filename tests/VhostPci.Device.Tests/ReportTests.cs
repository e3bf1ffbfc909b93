// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using System.Text.Json;
using VhostPci.Device.Tests.Support;

namespace VhostPci.Device.Tests;

public sealed class ReportTests
{
    [Fact]
    public void Json_has_every_field_of_the_schema()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        origin.Poke(FrontEnd.RingAddress(1) - FrontEnd.UserBase + 0x2002, 9);
        origin.Poke(FrontEnd.RingAddress(1) - FrontEnd.UserBase + 0x3002, 8);
        using JsonDocument document = JsonDocument.Parse(rig.Library.ReportJson(Rig.Runtime));
        JsonElement server = document.RootElement.GetProperty("servers")[0];
        Assert.Equal(["id", "connections-max", "accepted", "refused", "slot-size", "log-level", "peers"], Names(server));
        JsonElement peer = server.GetProperty("peers")[0];
        Assert.Equal(
            ["connection", "pid", "uid", "gid", "state", "messages", "features", "protocol-features", "device", "slot", "static", "name", "mac", "origin-mac", "origin-uuid", "mtu", "memory", "window-size", "mapped", "epoch", "ack", "link", "driver-ok", "driver-link", "accepted", "rings"],
            Names(peer));
        Assert.Equal("running", peer.GetProperty("state").GetString());
        Assert.Equal("nic", peer.GetProperty("name").GetString());
        Assert.Equal(FrontEnd.MemorySize, peer.GetProperty("mapped").GetUInt64());
        JsonElement ring = peer.GetProperty("rings")[1];
        Assert.Equal(
            ["index", "size", "enabled", "running", "desc", "avail", "used", "avail-index", "used-index", "kicks", "interrupts", "doorbells"],
            Names(ring));
        Assert.Equal(9, ring.GetProperty("avail-index").GetInt32());
        Assert.Equal(8, ring.GetProperty("used-index").GetInt32());
        Assert.Equal(["version", "flavour", "allocated", "collections", "heap", "first-call-us"], Names(document.RootElement.GetProperty("runtime")));
    }

    [Fact]
    public void A_device_whose_origin_is_gone_is_leaving()
    {
        using var rig = new Rig();
        FrontEnd origin = rig.Connect();
        origin.Start();
        origin.Dispose();
        using JsonDocument document = JsonDocument.Parse(rig.Library.ReportJson(Rig.Runtime));
        JsonElement peer = Assert.Single(document.RootElement.GetProperty("servers")[0].GetProperty("peers").EnumerateArray());
        Assert.Equal("leaving", peer.GetProperty("state").GetString());
        Assert.Equal("srv.1", peer.GetProperty("device").GetString());
        Assert.Equal(0UL, peer.GetProperty("mapped").GetUInt64());
        Assert.Equal(0, peer.GetProperty("rings").GetArrayLength());
    }

    [Fact]
    public void Text_is_for_people()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        string text = Encoding.UTF8.GetString(rig.Library.ReportText(Rig.Runtime, verbose: false));
        Assert.Contains("server srv: 1 of 4 connections, 0 refused, slot size 4 GiB\n", text, StringComparison.Ordinal);
        Assert.Contains("  connection 1: 'nic' pid ", text, StringComparison.Ordinal);
        Assert.Contains("    features: event_idx protocol_features version_1\n", text, StringComparison.Ordinal);
        Assert.Contains("window 4 GiB of which 16 MiB mapped\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("0x", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Verbose_text_has_what_json_has()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        origin.Poke(FrontEnd.RingAddress(1) - FrontEnd.UserBase + 0x2002, 9);
        origin.Poke(FrontEnd.RingAddress(1) - FrontEnd.UserBase + 0x3002, 8);
        string text = Encoding.UTF8.GetString(rig.Library.ReportText(Rig.Runtime, verbose: true));
        using JsonDocument document = JsonDocument.Parse(rig.Library.ReportJson(Rig.Runtime));
        JsonElement server = document.RootElement.GetProperty("servers")[0];
        JsonElement peer = server.GetProperty("peers")[0];
        JsonElement ring = peer.GetProperty("rings")[1];
        string desc = string.Create(CultureInfo.InvariantCulture, $"0x{ring.GetProperty("desc").GetUInt64():x}");
        foreach (string part in new[]
        {
            "1 connections since the start, log level info, users: whoever may open the socket\n",
            $"gid {peer.GetProperty("gid")}, {peer.GetProperty("messages")} messages\n",
            "    protocol features: mq rarp reply_ack net_mtu ",
            $"origin MAC {peer.GetProperty("origin-mac").GetString()}, UUID {peer.GetProperty("origin-uuid").GetString()}, MTU {peer.GetProperty("mtu")}\n",
            "    memory 0x0 to 0xffffff (16 MiB), at 0x0 of its file\n",
            $"      desc {desc} avail ",
            " (index 9) used ",
            " (index 8)\n",
            "      kicks 1, interrupts 2, doorbells 3\n",
        })
        {
            Assert.Contains(part, text, StringComparison.Ordinal);
        }
    }

    private static string[] Names(JsonElement element) => [.. element.EnumerateObject().Select(property => property.Name)];
}
