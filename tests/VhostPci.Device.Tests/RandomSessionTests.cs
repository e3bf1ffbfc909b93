// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>Random sessions, mostly well-formed so that they get far: nothing throws, leaks, or shows memory with the link down.</summary>
public sealed class RandomSessionTests
{
    private const int Sessions = 1500;
    private const int Steps = 60;
    private const int Pairs = 4;

    private static readonly ulong[] Numbers =
        [0, 1, 2, 15, 68, 255, 256, 0x10000, FrontEnd.MemorySize, 1UL << 30, FrontEnd.Features, ulong.MaxValue, FrontEnd.UserBase, 1UL << 63];

    [Fact]
    public void Nothing_breaks_the_server()
    {
        int seed = Environment.TickCount;
        if (int.TryParse(Environment.GetEnvironmentVariable("VHOST_PCI_SEED"), out int wanted))
        {
            seed = wanted;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"VHOST_PCI_SEED={seed}");
        var random = new Random(seed);
        using var rig = new Rig();
        int started = 0;
        for (int session = 0; session < Sessions; session++)
        {
            using FrontEnd origin = rig.Connect();
            int devices = rig.Bridge.Devices.Count;
            if (random.Next(4) != 0)
            {
                origin.Start(pairs: (ushort)(random.Next(4) == 0 ? 1 : Pairs));
                started++;
            }

            for (int step = 0; step < Steps && rig.Server.Connections.Count != 0; step++)
            {
                Step(random, origin);
                Guest(random, rig, devices);
                Check(rig, devices);
            }

            origin.Dispose();
            rig.Host.Pump(2);
            Assert.Empty(rig.Server.Connections);
            foreach (FakeDevice device in rig.Bridge.Devices.Skip(devices))
            {
                Assert.Equal(0UL, device.Device.MappedBytes);
                device.Remove();
            }

            Assert.Equal(rig.Baseline, Descriptors.Count());
        }

        Assert.True(started > 0);
        rig.AssertNothingLeft();
        Assert.DoesNotContain(rig.Log.Lines, line => line.Level > Microsoft.Extensions.Logging.LogLevel.Error);
    }

    private static void Check(Rig rig, int first)
    {
        foreach (FakeDevice device in rig.Bridge.Devices.Skip(first))
        {
            Assert.Equal(device.Link, device.Device.MappedBytes != 0);
            Assert.Equal(device.Link, device.HasRing(0));
            int shown = Enumerable.Range(0, device.Plan.Rings / 2).Count(pair => device.HasRing(2 * pair));
            Assert.Equal(shown, Enumerable.Range(0, device.Plan.Rings / 2).Count(pair => device.HasRing((2 * pair) + 1)));
            Assert.Equal(shown, device.QueuePairs);
        }
    }

    private static void Guest(Random random, Rig rig, int first)
    {
        if (rig.Bridge.Devices.Count == first)
        {
            return;
        }

        FakeDevice device = rig.Bridge.Last;
        switch (random.Next(12))
        {
            case 0:
                device.StartDriver();
                break;
            case 1:
                device.ResetDriver();
                break;
            case 2 or 3:
                device.Acknowledge(device.Epoch);
                break;
            case 4:
                device.Acknowledge((uint)random.Next());
                break;
            case 5:
                rig.Host.Advance(random.Next(6000));
                break;
            case 6 when random.Next(20) == 0:
                device.Remove();
                break;
        }
    }

    private static void Step(Random random, FrontEnd origin)
    {
        uint index = (uint)(random.Next(20) == 0 ? random.Next() : random.Next(2 * Pairs));
        switch (random.Next(16))
        {
            case 0:
                origin.SendState(RequestCode.SetVringNum, index, 1U << random.Next(10));
                break;
            case 1:
                origin.SendState(RequestCode.SetVringBase, index, (uint)random.Next(70000));
                break;
            case 2:
                origin.SendState(RequestCode.SetVringEnable, index, (uint)random.Next(2));
                break;
            case 3 or 4:
                origin.SendState(RequestCode.GetVringBase, index, 0);
                origin.TryReceiveAny();
                break;
            case 5:
                origin.SendAddress(index, FrontEnd.RingAddress(index % (2 * Pairs)) + (ulong)(random.Next(8) << 12));
                break;
            case 6 or 7:
                origin.SendFile(random.Next(2) == 0 ? RequestCode.SetVringKick : RequestCode.SetVringCall, index, random.Next(5) == 0 ? null : origin.NewEvent());
                break;
            case 8:
                origin.SendMemory();
                break;
            case 9:
                origin.SendSingle(
                    random.Next(2) == 0 ? RequestCode.AddMemoryRegion : RequestCode.RemoveMemoryRegion,
                    new MemoryRegion(1UL << random.Next(30, 34), 0x10000, (ulong)random.Next(8) << 20, 0),
                    origin.NewMemory().Number);
                break;
            case 10:
                origin.Send(random.Next(2) == 0 ? RequestCode.ResetDevice : RequestCode.ResetOwner);
                break;
            case 11:
                origin.SendPair(index % Pairs);
                break;
            case 12:
                origin.Send(RequestCode.SetStatus, Pick(random));
                break;
            case 13:
                origin.Send(RequestCode.NetSetMtu, (ulong)random.Next(60, 70000));
                break;
            case 14 when random.Next(4) == 0:
                byte[] junk = new byte[random.Next(1, 80)];
                random.NextBytes(junk);
                origin.SendRaw(junk, random.Next(2) == 0 ? [] : [origin.NewEvent().Number]);
                break;
            case 15 when random.Next(4) == 0:
                origin.Send((RequestCode)random.Next(45), Pick(random));
                break;
            default:
                origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
                break;
        }

        origin.TryReceiveAny();
    }

    private static ulong Pick(Random random) => Numbers[random.Next(Numbers.Length)];
}
