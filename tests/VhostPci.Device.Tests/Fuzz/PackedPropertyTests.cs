// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using VhostPci.Device.Clients;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A client reads positions from its own VM's memory, whatever its guest and the mirror's have left there.</summary>
public sealed class PackedPropertyTests
{
    private const uint RingPages = 8;

    [Fact]
    public void A_client_finds_and_finishes_a_packed_ring_as_the_model_does()
    {
        var reached = new Reached();
        Arbitrary<int> seeds = Arb.From(Gen.Choose(0, int.MaxValue - 1));
        bool whole = Fuzzing.Run(Fuzzing.IsLong ? 100_000 : 2000, seeds, seed =>
        {
            Play(new Random(seed), reached);
            return 1;
        });
        reached.Report(whole);
    }

    private static void Play(Random random, Reached reached)
    {
        using var rig = new Rig();
        VhostPciClient client = rig.Library.CreateClient(new FakeNic(), new ClientConfig("net0", new DeviceInfo(VirtioDeviceId.Net, 1, Guid.Empty, default, 0, 1UL << 30, "net0")));
        _ = client.SetFeatures(VirtioFeatures.Version1 | VirtioFeatures.RingPacked);
        int size = 1 + random.Next(random.Next(2) == 0 ? 12 : (int)RingPages * Contents.PageSize / 16);
        var contents = new Contents();
        var model = new PackedModel(contents, 0, size);
        if (random.Next(4) != 0)
        {
            _ = model.Correct((uint)random.Next(size) | (random.Next(2) == 0 ? 0x8000U : 0));
        }

        for (int uses = random.Next(3); uses > 0; uses--)
        {
            int count = 1 + random.Next(size);
            model.Use(count, random.Next(count + 1));
        }

        byte[] table = new byte[16 * size];
        contents.Read(0, table);
        (uint position, int left, int leftCount) = model.Find();
        model.Return(left, leftCount);
        Assert.Equal(position | (position << 16), client.GetVringBase(0, table, new byte[4]));
        byte[] expected = new byte[table.Length];
        contents.Read(0, expected);
        Assert.Equal(expected, table);
        rig.Library.Destroy(client);
        reached.Add("rings finished", leftCount == 0 ? 0 : 1);
        reached.Add("rings that stood", leftCount == 0 ? 1 : 0);
    }
}
