// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Tests;

public sealed class MemoryTableTests
{
    private const ulong Top = ulong.MaxValue - 0xfff;

    [Theory]
    [InlineData(0UL, 0UL, 0UL, 0UL)]
    [InlineData(Top, 0x1000UL, 0UL, 0UL)]
    [InlineData(Top, 0x2000UL, 0UL, 0UL)]
    [InlineData(0x1000UL, ulong.MaxValue, 0UL, 0UL)]
    [InlineData(0UL, 0x1000UL, Top, 0UL)]
    [InlineData(0UL, 0x2000UL, Top, 0UL)]
    [InlineData(0UL, 0x1000UL, 0UL, Top)]
    [InlineData(0UL, 0x8000000000001000UL, 0UL, 0x8000000000000000UL)]
    public void EmptyOrWrappingRegionIsRefused(ulong guest, ulong length, ulong user, ulong offset)
    {
        var table = new MemoryTable();
        var region = new MemoryRegion(guest, length, user, offset);

        Assert.False(MemoryTable.CheckRegion(region).IsOk);
        Assert.False(table.Add(region).IsOk);
        Assert.False(MemoryTable.CheckBacking(region, ulong.MaxValue, 4096, ulong.MaxValue).IsOk);
        Assert.Equal(0, table.Count);
    }

    [Theory]
    [InlineData(0x1000UL, 0x1000UL, 0x10000UL, false)]
    [InlineData(0x1fffUL, 1UL, 0x10000UL, false)]
    [InlineData(0x0UL, 0x4000UL, 0x10000UL, false)]
    [InlineData(0x0UL, 0x1000UL, 0x10000UL, true)]
    [InlineData(0x3000UL, 0x1000UL, 0x10000UL, true)]
    [InlineData(0x0UL, 0x1001UL, 0x10000UL, false)]
    [InlineData(0x10000UL, 0x1000UL, 0x5000UL, false)]
    [InlineData(0x10000UL, 0x1000UL, 0x4000UL, true)]
    [InlineData(0x10000UL, 0x1001UL, 0x4000UL, false)]
    [InlineData(0x10000UL, 0x1000UL, 0x7000UL, true)]
    [InlineData(0x10000UL, 0x1000UL, 0x6fffUL, false)]
    public void OverlapInGuestOrUserAddressesIsRefused(ulong guest, ulong length, ulong user, bool accepted)
    {
        var table = new MemoryTable();
        Assert.True(table.Add(new MemoryRegion(0x1000, 0x2000, 0x5000, 0)).IsOk);

        Assert.Equal(accepted, table.Add(new MemoryRegion(guest, length, user, 0)).IsOk);
        Assert.Equal(accepted ? 2 : 1, table.Count);
    }

    [Fact]
    public void NinthRegionIsRefused()
    {
        var table = new MemoryTable();
        for (ulong i = 0; i < MemoryPayload.MaxRegions; i++)
            Assert.True(table.Add(new MemoryRegion(i << 12, 0x1000, i << 12, 0)).IsOk);

        Assert.Contains("more than 8", table.Add(new MemoryRegion(1 << 20, 0x1000, 1 << 20, 0)).Reason, StringComparison.Ordinal);
        Assert.Equal(0x8000UL, table.End);
    }

    [Fact]
    public void RemovalTakesThatRegionAndIgnoresTheFileOffset()
    {
        var table = new MemoryTable();
        Assert.True(table.Add(new MemoryRegion(0x0000, 0x1000, 0x10000, 0)).IsOk);
        Assert.True(table.Add(new MemoryRegion(0x1000, 0x1000, 0x20000, 0)).IsOk);
        Assert.True(table.Add(new MemoryRegion(0x2000, 0x1000, 0x30000, 0)).IsOk);

        Assert.False(table.Remove(new MemoryRegion(0x1000, 0x2000, 0x20000, 0)).IsOk);
        Assert.False(table.Remove(new MemoryRegion(0x1000, 0x1000, 0x20001, 0)).IsOk);
        Assert.False(table.Remove(new MemoryRegion(0x1001, 0x1000, 0x20000, 0)).IsOk);
        Assert.True(table.Remove(new MemoryRegion(0x1000, 0x1000, 0x20000, 0xdeadbeef)).IsOk);

        Assert.Equal([0UL, 0x2000UL], table.Regions.ToArray().Select(static r => r.GuestAddress));
        Assert.False(table.Remove(new MemoryRegion(0x1000, 0x1000, 0x20000, 0)).IsOk);
        table.Clear();
        Assert.Equal((0, 0UL), (table.Count, table.End));
    }

    [Fact]
    public void TranslationStaysInsideOneRegion()
    {
        var table = new MemoryTable();
        // Neighbours in user addresses, far apart in the guest.
        Assert.True(table.Add(new MemoryRegion(0x100000, 0x1000, 0x7000, 0)).IsOk);
        Assert.True(table.Add(new MemoryRegion(0x900000, 0x1000, 0x8000, 0)).IsOk);

        Assert.True(table.TryTranslate(0x7000, 0x1000, out ulong guest));
        Assert.Equal(0x100000UL, guest);
        Assert.True(table.TryTranslate(0x8ffe, 2, out guest));
        Assert.Equal(0x900ffeUL, guest);
        foreach ((ulong address, ulong length) in (ReadOnlySpan<(ulong, ulong)>)[
            (0x7000, 0x1001), (0x7fff, 2), (0x6fff, 1), (0x6fff, 2), (0x9000, 1), (0x7000, 0), (0x7001, ulong.MaxValue),
            (ulong.MaxValue, 1), (ulong.MaxValue, ulong.MaxValue), (0, ulong.MaxValue), (0x9000, 0)])
        {
            Assert.False(table.TryTranslate(address, length, out guest), $"0x{address:x}+0x{length:x}");
            Assert.Equal(0UL, guest);
        }
    }

    [Fact]
    public void RegionAtTheTopOfTheAddressesIsTranslated()
    {
        var table = new MemoryTable();
        Assert.True(table.Add(new MemoryRegion(Top - 0x1000, 0x1000, Top - 0x1000, 0)).IsOk);
        Assert.True(table.TryTranslate(Top - 1, 1, out ulong guest));
        Assert.Equal(Top - 1, guest);
        Assert.False(table.TryTranslate(Top - 1, 2, out _));
    }

    [Theory]
    [InlineData(0x4000UL, 0x1000UL, 0x0000UL, true)]
    [InlineData(0x4000UL, 0x2000UL, 0xf000UL, false)]
    [InlineData(0x4000UL, 0x1000UL, 0xf000UL, true)]
    [InlineData(0x4000UL, 0x1000UL, 0x10000UL, false)]
    [InlineData(0x4800UL, 0x1000UL, 0x0000UL, false)]
    [InlineData(0x4000UL, 0x1800UL, 0x0000UL, false)]
    [InlineData(0x4000UL, 0x1000UL, 0x0800UL, false)]
    [InlineData(0xf000UL, 0x1000UL, 0x0000UL, true)]
    [InlineData(0xf000UL, 0x2000UL, 0x0000UL, false)]
    [InlineData(0x10000UL, 0x1000UL, 0x0000UL, false)]
    public void BackingMustHoldTheRegionInWholePages(ulong guest, ulong length, ulong offset, bool accepted)
    {
        // The user address is the front-end's own affair.
        Verdict verdict = MemoryTable.CheckBacking(new MemoryRegion(guest, length, 0x123, offset), 0x10000, 0x1000, 0x10000);
        Assert.Equal((accepted, verdict.Reason is null), (verdict.IsOk, accepted));
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(3UL)]
    [InlineData(ulong.MaxValue)]
    public void OddPageSizesAreRefused(ulong pageSize)
        => Assert.False(MemoryTable.CheckBacking(new MemoryRegion(0, 0x1000, 0, 0), 0x10000, pageSize, 0x10000).IsOk);

    [Fact]
    public void HugePagesAskForTheirAlignment()
    {
        var region = new MemoryRegion(0x1000, 0x200000, 0, 0);
        Assert.True(MemoryTable.CheckBacking(region, 0x400000, 0x1000, 0x400000).IsOk);
        Assert.False(MemoryTable.CheckBacking(region, 0x400000, 0x200000, 0x400000).IsOk);
    }

    [Fact]
    public void RingIsTranslatedAndChecked()
    {
        var table = new MemoryTable();
        Assert.True(table.Add(new MemoryRegion(0x100000, 0x10000, 0x7000, 0)).IsOk);
        var layout = new RingLayout(256, EventIndex: true);
        var ring = new VringAddress(1, 0, 0x7000, 0x9000, 0x8000, 0xbad);

        Assert.True(table.TranslateRing(ring, layout, out VringAddress guest).IsOk);
        Assert.Equal(new VringAddress(1, 0, 0x100000, 0x102000, 0x101000, 0), guest);

        Assert.Contains("descriptor table", table.TranslateRing(ring with { Desc = 0x7008 }, layout, out guest).Reason, StringComparison.Ordinal);
        Assert.Equal(default, guest);
        Assert.Contains("aligned", table.TranslateRing(ring with { Avail = 0x8001 }, layout, out _).Reason, StringComparison.Ordinal);
        Assert.Contains("aligned", table.TranslateRing(ring with { Used = 0x9002 }, layout, out _).Reason, StringComparison.Ordinal);
        Assert.Contains("used ring", table.TranslateRing(ring with { Used = 0x17000 - 2052 }, layout, out _).Reason, StringComparison.Ordinal);
        Assert.True(table.TranslateRing(ring with { Used = 0x17000 - 2056 }, layout, out _).IsOk);
        Assert.Contains("available ring", table.TranslateRing(ring with { Avail = 0x17000 - 516 }, layout, out _).Reason, StringComparison.Ordinal);
        Assert.True(table.TranslateRing(ring with { Avail = 0x17000 - 518 }, layout, out _).IsOk);
        Assert.Contains("descriptor table", table.TranslateRing(ring with { Desc = ulong.MaxValue - 15 }, layout, out _).Reason, StringComparison.Ordinal);
    }
}
