// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Fuzz;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>Ethernet addresses in the mirror: distinct, the same each time, and nobody else's.</summary>
public sealed class AddressTests
{
    [Fact]
    public void Two_origins_128_apart_and_their_interfaces_have_four_addresses()
    {
        using var rig = new Rig();
        using FrontEnd near = Connect(rig, "52:54:00:00:00:01");
        using FrontEnd far = Connect(rig, "52:54:00:00:00:81");
        AssertDistinct(rig);
        Assert.Equal(2, rig.Bridge.Devices.Count);
    }

    [Fact]
    public void Two_origins_with_one_address_have_interfaces_with_two()
    {
        using var rig = new Rig();
        using FrontEnd first = Connect(rig, "52:54:00:12:34:56");
        using FrontEnd second = Connect(rig, "52:54:00:12:34:56");
        Assert.True(rig.Bridge.Devices[0].Link && rig.Bridge.Devices[1].Link);
        Assert.NotEqual(rig.Bridge.Devices[0].Device.Mac, rig.Bridge.Devices[1].Device.Mac);
        Assert.Equal(Mac("52:54:00:12:34:56").ToMirror(), rig.Bridge.Devices[0].Device.Mac);
        Assert.Equal(Mac("52:54:00:12:34:56").ToMirror(1), rig.Bridge.Devices[1].Device.Mac);
    }

    [Fact]
    public void The_servers_of_one_mirror_know_of_each_other()
    {
        using var rig = new Rig();
        var bridge = new FakeBridge();
        var listener = new FakeListener();
        ServerConfig config = rig.Server.Config with { Id = "other" };
        Assert.True(rig.Library.TryCreateServer(bridge, listener, config, out VhostPciServer? other, out string error), error);
        bridge.Find = number => other!.Devices.FirstOrDefault(device => device.Number == number);
        using FrontEnd here = Connect(rig, "52:54:00:12:34:56");
        using var there = new FrontEnd(rig.Host, listener.Connect());
        Start(there, Mac("52:54:00:12:34:56"));
        Assert.NotEqual(rig.Bridge.Last.Device.Mac, bridge.Last.Device.Mac);
        rig.Library.Destroy(other!);
        bridge.Last.Remove();
    }

    [Fact]
    public void An_address_does_not_depend_on_the_order_of_arrival()
    {
        string[] origins = ["52:54:00:00:00:01", "52:54:00:00:00:81", "02:00:00:00:00:01", "56:50:00:00:00:01"];
        Dictionary<string, MacAddress> first = Arrive(origins);
        Assert.Equal(first, Arrive([.. origins.Reverse()]));
        Assert.Equal(4, first.Values.Distinct().Count());

        static Dictionary<string, MacAddress> Arrive(string[] origins)
        {
            using var rig = new Rig();
            FrontEnd[] all = [.. origins.Select(origin => Connect(rig, origin))];
            var addresses = origins.Zip(rig.Bridge.Devices).OrderBy(static pair => pair.First, StringComparer.Ordinal)
                .ToDictionary(static pair => pair.First, static pair => pair.Second.Device.Mac);
            Array.ForEach(all, static origin => origin.Dispose());
            return addresses;
        }
    }

    [Fact]
    public void An_interface_is_not_given_the_address_of_an_origin_that_is_there()
    {
        using var rig = new Rig();
        MacAddress origin = Mac("52:54:00:00:00:01");
        using FrontEnd squatter = Connect(rig, origin.ToMirror());
        using FrontEnd second = Connect(rig, origin);
        Assert.Equal(origin.ToMirror(1), rig.Bridge.Last.Device.Mac);
        AssertDistinct(rig);
    }

    [Fact]
    public void An_origin_with_the_address_of_an_interface_is_refused_and_nobody_else_disturbed()
    {
        using var rig = new Rig();
        using FrontEnd here = Connect(rig, "52:54:00:00:00:01");
        MacAddress taken = rig.Bridge.Last.Device.Mac;
        using FrontEnd late = Connect(rig, taken);
        Assert.True(late.IsClosed);
        Assert.Contains($"{taken} is the address of an interface of the mirror: give the origin another mac=", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.False(here.IsClosed);
        Assert.True(Assert.Single(rig.Bridge.Devices).Link);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_announcement_of_the_address_of_an_interface_is_refused(bool own)
    {
        using var rig = new Rig();
        using FrontEnd here = Connect(rig, "52:54:00:00:00:01");
        using FrontEnd other = Connect(rig, "52:54:00:00:00:02");
        byte[] payload = new byte[U64Payload.Size];
        rig.Bridge.Devices[own ? 1 : 0].Device.Mac.Write(payload);
        other.Send(RequestCode.SendRarp, payload);
        Assert.True(other.IsClosed);
        Assert.Contains("is the address of an interface of the mirror", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.False(here.IsClosed);
    }

    [Fact]
    public void The_users_address_stays_and_an_origin_that_has_it_is_refused()
    {
        using var rig = new Rig();
        MacAddress mac = Mac("52:54:00:00:00:77");
        FakeDevice device = rig.AddStatic(new StaticConfig { Id = "a", Options = new NetOptions(mac) });
        using FrontEnd wrong = Connect(rig, mac);
        Assert.True(wrong.IsClosed);
        Assert.False(device.Link);
        using FrontEnd right = Connect(rig, "52:54:00:00:00:01");
        Assert.True(device.Link);
        Assert.Equal(mac, device.Device.Mac);
    }

    // Its front-end speaks plain vhost-user: the slot is all that is known of it.
    [Fact]
    public void The_interface_of_an_origin_that_says_nothing_has_the_address_of_its_slot()
    {
        using var rig = new Rig(change: static config => config with { UnplugDelay = 0 });
        var addresses = new List<MacAddress>();
        for (int i = 0; i < 2; i++)
        {
            using FrontEnd origin = rig.Connect();
            origin.Negotiate();
            origin.Run();
            addresses.Add(rig.Bridge.Last.Device.Mac);
            using FrontEnd neighbour = rig.Connect();
            neighbour.Negotiate();
            neighbour.Run();
            AssertDistinct(rig);
            neighbour.Dispose();
            origin.Dispose();
            foreach (FakeDevice device in rig.Bridge.Devices)
            {
                device.Remove();
            }
        }

        Assert.Equal(addresses[0], addresses[1]);
    }

    /// <summary>Origins with few addresses, some of them those of interfaces, come and go in any order.</summary>
    [Fact]
    public void No_address_is_ever_there_twice()
    {
        Arbitrary<byte[]> steps = ArbMap.Default.ArbFor<byte[]>();
        int refused = 0, stepped = 0, returned = 0;
        Fuzzing.Run(FuzzedSteps, steps, sequence =>
        {
            using var rig = new Rig(connections: 8, change: static config => config with { UnplugDelay = 3 });
            var origins = new List<FrontEnd>();
            foreach (byte step in sequence)
            {
                if (step % 3 == 0 && origins.Count != 0)
                {
                    origins[step % origins.Count].Dispose();
                    origins.RemoveAt(step % origins.Count);
                }
                else if (step % 3 == 1)
                {
                    rig.Host.Advance(step * 20u);
                    rig.Bridge.Devices.Where(static device => device.UnplugRequests != 0).ToList().ForEach(static device => device.Remove());
                }
                else if (rig.Server.ConnectionCount < 8)
                {
                    int before = rig.Bridge.Devices.Count;
                    MacAddress mac = Mac($"52:54:00:00:00:0{step % 4}");
                    mac = step % 5 == 0 ? mac.ToMirror(step % 2) : mac;
                    FrontEnd origin = Connect(rig, mac);
                    refused += origin.IsClosed ? 1 : 0;
                    returned += !origin.IsClosed && rig.Bridge.Devices.Count == before ? 1 : 0;
                    stepped += rig.Bridge.Devices.Count != before && rig.Bridge.Last.Device.Mac != mac.ToMirror() ? 1 : 0;
                    origins.Add(origin);
                }

                AssertDistinct(rig);
            }

            origins.ForEach(static origin => origin.Dispose());
            rig.Host.Pump();
            return sequence.Length + 1;
        });
        Assert.True(refused > 0 && stepped > 0 && returned > 0, string.Create(CultureInfo.InvariantCulture, $"{refused} refused, {stepped} stepped, {returned} returned"));
    }

    private const long FuzzedSteps = 2000;

    /// <summary>No interface has the address of another one or of an origin, but for what is on its way out.</summary>
    private static void AssertDistinct(Rig rig)
    {
        MirrorDevice[] devices = [.. rig.Server.Devices.Where(static device => device.State != DeviceState.Leaving)];
        MacAddress[] interfaces = [.. devices.Select(static device => device.Mac)];
        MacAddress[] origins = [.. devices.Select(static device => device.OriginMac), .. rig.Server.Connections.Select(static one => one.Session.Info?.Mac ?? default)];
        Assert.Equal(interfaces.Length, interfaces.Distinct().Count());
        Assert.Empty(interfaces.Intersect(origins));
        Assert.All(interfaces, static mac => Assert.True(mac is { IsLocal: true, IsMulticast: false }));
    }

    private static FrontEnd Connect(Rig rig, string mac) => Connect(rig, Mac(mac));

    private static FrontEnd Connect(Rig rig, MacAddress mac)
    {
        FrontEnd origin = rig.Connect();
        Start(origin, mac);
        return origin;
    }

    private static void Start(FrontEnd origin, MacAddress mac)
    {
        origin.Negotiate();
        byte[] payload = new byte[DeviceInfo.Size];
        new DeviceInfo(VirtioDeviceId.Net, 1, Guid.Empty, mac, 1500, FrontEnd.MemorySize, "nic").Write(payload);
        origin.Send(RequestCode.SetDeviceInfo, payload);
        origin.Run();
    }

    private static MacAddress Mac(string text)
    {
        MacAddress mac = MacAddress.Read(Convert.FromHexString(text.Replace(":", "", StringComparison.Ordinal)));
        return mac;
    }
}
