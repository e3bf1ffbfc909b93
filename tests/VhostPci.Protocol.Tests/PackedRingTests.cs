// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Tests;

public sealed class PackedRingTests
{
    private const ushort Next = 1;

    [Theory]
    [InlineData(0x8000u, true, 0, true)]
    [InlineData(0x0000u, true, 0, false)]
    [InlineData(0x80058005u, true, 5, true)]
    [InlineData(0x00050005u, true, 5, false)]
    [InlineData(0x00000005u, true, 5, false)]
    [InlineData(0x80058006u, false, 6, true)]
    [InlineData(0x00058005u, false, 5, true)]
    [InlineData(0xffffffffu, true, 0x7fff, true)]
    public void PositionsOnTheWire(uint wire, bool accepted, int slot, bool wrap)
    {
        Assert.Equal(accepted, PackedPosition.TryFromWire(wire, out PackedPosition position));
        Assert.Equal(new PackedPosition((ushort)slot, wrap), position);
        Assert.Equal(position, PackedPosition.FromValue(position.Value));
        Assert.True(PackedPosition.TryFromWire(position.ToWire(), out PackedPosition again));
        Assert.Equal(position, again);
    }

    [Theory]
    [InlineData(0u, false)]
    [InlineData(1u, true)]
    [InlineData(3u, true)]
    [InlineData(32768u, true)]
    [InlineData(32769u, false)]
    [InlineData(uint.MaxValue, false)]
    public void PackedRingsHaveAnySize(uint entries, bool accepted)
        => Assert.Equal(accepted, RingLayout.CheckEntries(entries, packed: true).IsOk);

    [Fact]
    public void PackedAreasAreThoseOfTheSpecification()
    {
        var layout = new RingLayout(100, EventIndex: true, Packed: true);
        Assert.Equal((1600UL, 4UL, 4UL), (layout.DescSize, layout.AvailSize, layout.UsedSize));
        Assert.Equal((16u, 4u, 4u), (RingLayout.DescAlignment, layout.AvailAlignment, RingLayout.UsedAlignment));
    }

    [Fact]
    public void AreasOfAPackedRingAreCheckedToTheLastByte()
    {
        var table = new MemoryTable();
        Assert.True(table.Add(new MemoryRegion(0x10000, 0x1000, 0x7000_0000, 0)).IsOk);
        var layout = new RingLayout(3, EventIndex: true, Packed: true);
        Assert.True(Translate(0xfd0, 0xffc, 0xff8).IsOk);
        Assert.Contains("descriptor table", Translate(0xfe0, 0xffc, 0xff8).Reason, StringComparison.Ordinal);
        Assert.Contains("driver event area", Translate(0, 0xffd, 0x40).Reason, StringComparison.Ordinal);
        Assert.Contains("device event area", Translate(0, 0x40, 0x1000).Reason, StringComparison.Ordinal);
        Assert.Contains("aligned to 4", Translate(0, 0x42, 0x44).Reason, StringComparison.Ordinal);
        Assert.Contains("aligned to 16", Translate(8, 0x40, 0x44).Reason, StringComparison.Ordinal);

        Verdict Translate(ulong desc, ulong avail, ulong used) => table.TranslateRing(
            new VringAddress(0, 0, 0x7000_0000 + desc, 0x7000_0000 + used, 0x7000_0000 + avail, 0), layout, out _);
    }

    [Fact]
    public void AFreshRingStandsAtItsBeginning()
    {
        Assert.Equal(new PackedPosition(0, true), PackedRing.Find(new ushort[7], out SlotRange rest));
        Assert.True(rest.IsEmpty);
        Assert.Equal(new PackedPosition(0, true), PackedRing.Find(PackedRing.GetFlags(new byte[16]), out _));
    }

    [Fact]
    public void TheRingTellsWhereItStandsWhateverHappensOnIt()
    {
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 2000; round++)
        {
            var ring = new Model(random.Next(1, 12), random);
            for (int step = 0; step < 60; step++)
            {
                if (random.Next(2) == 0)
                    ring.Add(random.Next(1, 4));
                else
                    ring.Return(random.Next(1, 4), behind: true);
                Assert.Equal(ring.Position, PackedRing.Find(ring.Flags, out SlotRange rest));
                Assert.True(rest.IsEmpty);
                Assert.Equal(ring.Available, PackedRing.CountAvailable(ring.Flags, ring.Position));
            }
        }
    }

    [Fact]
    public void WhatWasCutOffIsFinished()
    {
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int cut = 0;
        for (int round = 0; round < 5000; round++)
        {
            var ring = new Model(random.Next(3, 12), random);
            for (int step = 0; step < 30; step++)
            {
                ring.Add(random.Next(1, 4));
                ring.Add(1);
                PackedPosition before = ring.Position;
                ushort[] old = [.. ring.Flags];
                int slots = ring.Return(random.Next(1, 4), behind: true);
                if (slots < 2 || slots == old.Length)
                    continue;

                // The last of them were returned, the first not yet.
                ushort[] half = [.. ring.Flags];
                int left = random.Next(1, slots);
                for (int i = 0; i < left; i++)
                    half[(before.Slot + i) % half.Length] = old[(before.Slot + i) % half.Length];
                Assert.Equal(ring.Position, PackedRing.Find(half, out SlotRange rest));
                Assert.Equal(new SlotRange(before.Slot, (before.Slot + left) % half.Length), rest);
                for (int i = rest.From; i != rest.To; i = (i + 1) % half.Length)
                    half[i] = PackedRing.Return(half[i]);
                Assert.Equal(ring.Position, PackedRing.Find(half, out rest));
                Assert.True(rest.IsEmpty);
                cut++;
            }
        }

        Assert.InRange(cut, 1000, int.MaxValue);
    }

    [Theory]
    [InlineData(PackedRing.MaxRest, true)]
    [InlineData(PackedRing.MaxRest + 1, false)]
    [InlineData(32766, false)]
    public void NoDriverLeavesMoreThanAFrameHalfReturned(int left, bool isFinished)
    {
        // From slot 0 on: made available in the first round, then one that was returned in it, then nothing.
        const ushort Returned = PackedRing.Available | PackedRing.Used;
        ushort[] flags = new ushort[32768];
        Array.Fill(flags, PackedRing.Available, 0, left);
        flags[left] = Returned;
        PackedPosition position = PackedRing.Find(flags, out SlotRange rest);
        Assert.Equal(isFinished ? new SlotRange(0, left) : default, rest);
        Assert.InRange(position.Slot, 0, flags.Length - 1);
    }

    /// <summary>Other back-ends return the first slot of a chain only; after that the position is not to be seen, but it was told.</summary>
    [Fact]
    public void ARingOfAnotherBackEndIsCleanedWithoutAHarmToWhatIsAvailable()
    {
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int wrong = 0;
        for (int round = 0; round < 3000; round++)
        {
            var ring = new Model(random.Next(1, 12), random);
            for (int step = 0; step < 40; step++)
            {
                if (random.Next(2) == 0)
                    ring.Add(random.Next(1, 4));
                else
                    ring.Return(1, behind: false);
            }

            ushort[] flags = ring.Flags;
            wrong += PackedRing.Find(flags, out _) != ring.Position ? 1 : 0;
            for (int i = 0; i < flags.Length; i++)
            {
                ushort clean = PackedRing.Clean(flags[i], i, ring.Position);
                Assert.False(ring.IsAvailable(i) && clean != flags[i]);
                flags[i] = clean;
            }

            Assert.Equal(ring.Position, PackedRing.Find(flags, out SlotRange rest));
            Assert.True(rest.IsEmpty);
            Assert.Equal(ring.Available, PackedRing.CountAvailable(flags, ring.Position));
        }

        Assert.InRange(wrong, 100, int.MaxValue);
    }

    [Fact]
    public void AnyFlagsHaveAPlaceInTheRing()
    {
        var random = new Random(1);
        for (int round = 0; round < 20_000; round++)
        {
            ushort[] flags = new ushort[random.Next(1, 20)];
            for (int i = 0; i < flags.Length; i++)
                flags[i] = (ushort)random.Next(0x10000);
            PackedPosition position = PackedRing.Find(flags, out SlotRange rest);
            Assert.InRange(position.Slot, 0, flags.Length - 1);
            Assert.InRange(rest.From, 0, flags.Length - 1);
            Assert.InRange(rest.To, 0, flags.Length - 1);
            Assert.InRange(PackedRing.CountAvailable(flags, position), 0, flags.Length);
            Assert.Equal(position, PackedRing.Find([.. flags.Select((f, i) => PackedRing.Clean(f, i, position))], out _));
        }
    }

    /// <summary>Both drivers of a packed ring, by the specification.</summary>
    private sealed class Model
    {
        private readonly Queue<int> _chains = new();
        private PackedPosition _next;

        internal Model(int entries, Random random)
        {
            Flags = new ushort[entries];
            Position = new PackedPosition((ushort)random.Next(entries), random.Next(2) == 0);
            _next = Position;
            for (int i = 0; i < entries; i++)
                Flags[i] = (i < Position.Slot) == Position.Wrap ? (ushort)(PackedRing.Available | PackedRing.Used) : (ushort)0;
        }

        internal ushort[] Flags { get; }

        internal PackedPosition Position { get; private set; }

        internal int Available => _chains.Sum();

        internal bool IsAvailable(int slot) => ((slot - Position.Slot + Flags.Length) % Flags.Length) < Available;

        internal void Add(int slots)
        {
            if (slots > Flags.Length - Available)
                return;
            for (int i = 0; i < slots; i++)
            {
                Flags[_next.Slot] = (ushort)((_next.Wrap ? PackedRing.Available : PackedRing.Used) | (i + 1 < slots ? Next : 0));
                _next = PackedRing.Next(_next, Flags.Length);
            }

            _chains.Enqueue(slots);
        }

        internal int Return(int chains, bool behind)
        {
            int returned = 0;
            for (; chains > 0 && _chains.TryDequeue(out int slots); chains--)
            {
                for (int i = 0; i < slots; i++, returned++)
                {
                    if (behind || i == 0)
                        Flags[Position.Slot] = Position.Wrap ? (ushort)(PackedRing.Available | PackedRing.Used) : (ushort)0;
                    Position = PackedRing.Next(Position, Flags.Length);
                }
            }

            return returned;
        }
    }
}
