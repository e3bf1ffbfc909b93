// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Compares what the monitor prints with the models.</summary>
internal static class ReportCheck
{
    private static readonly string[] WithoutOrigin = ["leaving", "away", "waiting"];

    internal static void AssertSays(JsonDocument report, MirrorModel mirror, OriginModel[] connected)
    {
        JsonElement[] peers = [.. report.RootElement.GetProperty("servers")[0].GetProperty("peers").EnumerateArray()];
        DeviceModel[] free = [.. mirror.Devices.OfType<DeviceModel>().Where(static device => device.Origin is null)];
        Assert.Equal(free.Count(static device => device.IsLeaving), peers.Count(static peer => State(peer) == "leaving"));
        Assert.Equal(free.Count(static device => device.IsAway), peers.Count(static peer => State(peer) == "away"));
        Assert.Equal(free.Count(static device => device.IsStatic), peers.Count(static peer => State(peer) == "waiting"));
        JsonElement[] origins = [.. peers.Where(static peer => !WithoutOrigin.Contains(State(peer)))];
        Assert.Equal(connected.Length, origins.Length);
        foreach ((JsonElement origin, OriginModel model) in origins.Zip(connected))
        {
            foreach (JsonElement ring in origin.GetProperty("rings").EnumerateArray().Where(static ring => ring.GetProperty("running").GetBoolean()))
            {
                Assert.Equal((ushort)model.Position(ring.GetProperty("index").GetInt32()), ring.GetProperty("used-index").GetUInt16());
            }
        }
    }

    private static string? State(JsonElement peer) => peer.GetProperty("state").GetString();
}
