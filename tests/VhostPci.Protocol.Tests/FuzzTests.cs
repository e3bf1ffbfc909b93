// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol.Tests;

/// <summary>Streams that no sane peer sends: nothing throws, nothing is read past the message, nothing wrong is accepted.</summary>
/// <remarks>
/// VHOST_PCI_FUZZ_ROUNDS makes it longer, VHOST_PCI_FUZZ_SEED repeats one. FsCheck prints its own seed when a property fails.
/// </remarks>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private static readonly RequestCode[] Requests = [.. Enum.GetValues<RequestCode>().Where(static c => c != RequestCode.None)];

    [Fact]
    public void RandomStreamsAreRefusedOrAsked()
    {
        Run(20_000, static random =>
        {
            byte[] stream = new byte[random.Next(0, 200)];
            random.NextBytes(stream);
            if (random.Next(2) == 0)
                Drive(new MessageReader<Request>(NetRequests.Table), stream, random);
            else
                Drive(new MessageReader<BackEndMessage>(BackEndTable.Instance), stream, random);
        });
    }

    [Fact]
    public void MutatedStreamsNeverConfuseTheReader()
    {
        Run(20_000, static random =>
        {
            var stream = new List<byte>();
            for (int i = random.Next(1, 4); i > 0; i--)
                stream.AddRange(Samples.Valid(Requests[random.Next(Requests.Length)], out _));
            byte[] bytes = [.. stream];
            for (int i = random.Next(0, 4); i > 0; i--)
                Mutate(bytes, random);
            Drive(new MessageReader<Request>(NetRequests.Table), bytes, random);
        });
    }

    [Fact]
    public void ParsersTakeAnyBytes()
    {
        Prop.ForAll<byte[]>(static bytes =>
        {
            var regions = new MemoryRegion[MemoryPayload.MaxRegions];
            _ = VringState.TryParse(bytes, out _);
            _ = VringAddress.TryParse(bytes, out _);
            _ = VringFile.TryParse(bytes, out _);
            _ = U64Payload.TryParse(bytes, out _);
            _ = RegionPayload.TryParse(bytes, out _);
            _ = RarpPayload.TryParse(bytes, out _);
            _ = DriverState.TryParse(bytes, out _);
            bool table = MemoryPayload.TryParseTable(bytes, regions, out int count);
            bool info = DeviceInfo.TryParse(bytes, out _);
            return (!table || bytes.Length == MemoryPayload.TableSize(count)) && (!info || bytes.Length == DeviceInfo.Size);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void AcceptedRegionsNeverOverlapAndTranslateOnlyIntoThemselves()
    {
        Run(20_000, static random =>
        {
            var table = new MemoryTable();
            for (int i = 0; i < 12; i++)
                _ = table.Add(new MemoryRegion(Interesting(random), Interesting(random), Interesting(random), Interesting(random)));

            MemoryRegion[] regions = table.Regions.ToArray();
            for (int i = 0; i < regions.Length; i++)
            {
                AssertSound(regions[i]);
                for (int j = 0; j < i; j++)
                {
                    Assert.False(Touch(regions[i].GuestAddress, regions[j].GuestAddress, regions[i].Length, regions[j].Length));
                    Assert.False(Touch(regions[i].UserAddress, regions[j].UserAddress, regions[i].Length, regions[j].Length));
                }
            }

            ulong user = Interesting(random);
            ulong length = Interesting(random);
            // The same by arithmetic that cannot wrap.
            MemoryRegion? home = regions.Cast<MemoryRegion?>().FirstOrDefault(r => length > 0
                && user >= r!.Value.UserAddress && (UInt128)user + length <= (UInt128)r.Value.UserAddress + r.Value.Length);
            bool translated = table.TryTranslate(user, length, out ulong guest);
            Assert.Equal(home is not null, translated);
            Assert.Equal(home is { } found ? found.GuestAddress + (user - found.UserAddress) : 0, guest);
        });
    }

    [Fact]
    public void CheckedBackingIsInsideFileAndWindow()
    {
        Run(50_000, static random =>
        {
            var region = new MemoryRegion(Interesting(random), Interesting(random), Interesting(random), Interesting(random));
            ulong file = Interesting(random);
            ulong page = random.Next(4) switch { 0 => 1UL << 21, 1 => Interesting(random), _ => 4096 };
            ulong window = Interesting(random);
            if (MemoryTable.CheckBacking(region, file, page, window).IsOk)
            {
                AssertSound(region);
                Assert.True((UInt128)region.FileOffset + region.Length <= file);
                Assert.True((UInt128)region.GuestAddress + region.Length <= window);
                Assert.Equal(0UL, region.GuestAddress % page + region.Length % page + region.FileOffset % page);
            }
        });
    }

    [Fact]
    public void CoalescingShowsEachByteAtItsPlace()
    {
        Run(20_000, static random =>
        {
            MemorySection[] input = new MemorySection[random.Next(0, 10)];
            for (int i = 0; i < input.Length; i++)
            {
                ulong guest = (ulong)random.Next(0, 32) << 12;
                input[i] = new MemorySection(guest, (ulong)random.Next(1, 4) << 12, guest + ((ulong)random.Next(0, 2) << 20), random.Next(3, 5));
            }

            MemorySection[] work = [.. input];
            if (!MemorySection.Coalesce(work, out int count).IsOk)
            {
                Assert.Contains(input, a => input.Count(b => Touch(a.GuestAddress, b.GuestAddress, a.Length, b.Length)) > 1);
                return;
            }

            foreach (MemorySection section in input)
            {
                MemorySection home = Assert.Single(work[..count], w => Touch(w.GuestAddress, section.GuestAddress, w.Length, section.Length));
                Assert.True(home.GuestAddress <= section.GuestAddress && section.GuestAddress + section.Length <= home.GuestAddress + home.Length);
                Assert.Equal(section.FileDescriptor, home.FileDescriptor);
                Assert.Equal(section.FileOffset, home.FileOffset + (section.GuestAddress - home.GuestAddress));
            }

            for (int i = 1; i < count; i++)
                Assert.True(work[i - 1].GuestAddress + work[i - 1].Length <= work[i].GuestAddress);
        });
    }

    private static void Drive<T>(MessageReader<T> reader, ReadOnlySpan<byte> stream, Random random)
        where T : class
    {
        int taken = 0;
        while (taken < stream.Length)
        {
            Assert.InRange(reader.Wanted.Length, 1, MessageHeader.MaxPayloadSize);
            int count = Math.Min(random.Next(1, reader.Wanted.Length + 1), stream.Length - taken);
            stream.Slice(taken, count).CopyTo(reader.Wanted);
            Verdict verdict = reader.Advance(count, random.Next(3) == 0 ? random.Next(0, 10) : 0);
            taken += count;
            if (!verdict.IsOk)
            {
                Assert.NotEqual("", verdict.Reason);
                Assert.True(reader.Wanted.IsEmpty);
                return;
            }

            if (!reader.IsComplete)
                continue;
            Assert.Equal((int)reader.Header.PayloadSize, reader.Payload.Length);
            Assert.InRange(reader.Descriptors, 0, MessageHeader.MaxDescriptors);
            reader.Reset();
        }
    }

    private static void Mutate(byte[] bytes, Random random)
    {
        int at = random.Next(bytes.Length);
        bytes[at] = random.Next(3) switch
        {
            0 => (byte)random.Next(256),
            1 => (byte)(bytes[at] ^ 1 << random.Next(8)),
            _ => 0xff,
        };
    }

    // Small numbers and the edges of the number space: where additions wrap.
    private static ulong Interesting(Random random) => random.Next(5) switch
    {
        0 => (ulong)random.Next(0, 16) << 12,
        1 => (ulong)random.NextInt64() << 1,
        2 => ulong.MaxValue - ((ulong)random.Next(0, 4) << 12),
        3 => (1UL << 63) + ((ulong)random.Next(0, 4) << 12),
        _ => 1UL << random.Next(64),
    };

    private static void AssertSound(MemoryRegion region)
    {
        Assert.NotEqual(0UL, region.Length);
        Assert.True((UInt128)region.GuestAddress + region.Length <= ulong.MaxValue);
        Assert.True((UInt128)region.UserAddress + region.Length <= ulong.MaxValue);
        Assert.True((UInt128)region.FileOffset + region.Length <= ulong.MaxValue);
    }

    private static bool Touch(ulong a, ulong b, ulong aLength, ulong bLength)
        => (UInt128)a < (UInt128)b + bLength && (UInt128)b < (UInt128)a + aLength;

    private void Run(int rounds, Action<Random> round)
    {
        rounds = int.TryParse(Environment.GetEnvironmentVariable("VHOST_PCI_FUZZ_ROUNDS"), out int asked) ? asked : rounds;
        int first = int.TryParse(Environment.GetEnvironmentVariable("VHOST_PCI_FUZZ_SEED"), out int seed) ? seed : Random.Shared.Next();
        output.WriteLine($"{rounds} rounds from VHOST_PCI_FUZZ_SEED={first}");
        for (int i = 0; i < rounds; i++)
        {
            int current = unchecked(first + i);
            try
            {
                round(new Random(current));
            }
            catch (Exception e)
            {
                Assert.Fail($"VHOST_PCI_FUZZ_SEED={current} VHOST_PCI_FUZZ_ROUNDS=1 repeats it: {e}");
            }
        }
    }
}
