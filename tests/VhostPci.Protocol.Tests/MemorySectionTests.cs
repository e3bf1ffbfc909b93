// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Tests;

public sealed class MemorySectionTests
{
    [Fact]
    public void PcWithItsHolesBecomesTwoRegions()
    {
        const ulong giga = 1UL << 30;
        MemorySection[] sections =
        [
            new(4 * giga, giga, 3 * giga, 5),
            new(0x100000, 3 * giga - 0x100000, 0x100000, 5),
            new(0, 0xa0000, 0, 5),
            new(0xc0000, 0x40000, 0xc0000, 5),
        ];

        Assert.True(MemorySection.Coalesce(sections, out int count).IsOk);

        Assert.Equal([new(0, 3 * giga, 0, 5), new(4 * giga, giga, 3 * giga, 5)], sections[..count]);
    }

    [Fact]
    public void OtherFileBetweenKeepsThemApart()
    {
        MemorySection[] sections = [new(0, 0x1000, 0, 5), new(0x1000, 0x1000, 0, 6), new(0x2000, 0x1000, 0x2000, 5)];
        MemorySection[] expected = [.. sections];

        Assert.True(MemorySection.Coalesce(sections, out int count).IsOk);

        Assert.Equal(expected, sections[..count]);
    }

    [Fact]
    public void OtherDistanceKeepsThemApart()
    {
        MemorySection[] sections = [new(0, 0x1000, 0, 5), new(0x1000, 0x1000, 0x2000, 5)];
        Assert.True(MemorySection.Coalesce(sections, out int count).IsOk);
        Assert.Equal(2, count);
    }

    [Fact]
    public void FileOffsetAboveTheGuestAddressMerges()
    {
        MemorySection[] sections = [new(0x2000, 0x1000, 0x9000, 5), new(0x1000, 0x1000, 0x8000, 5)];
        Assert.True(MemorySection.Coalesce(sections, out int count).IsOk);
        Assert.Equal([new(0x1000, 0x2000, 0x8000, 5)], sections[..count]);
    }

    [Fact]
    public void OverlapIsRefused()
    {
        MemorySection[] sections = [new(0x1000, 0x1000, 0x1000, 5), new(0, 0x1001, 0, 5)];
        Assert.False(MemorySection.Coalesce(sections, out int count).IsOk);
        Assert.Equal(0, count);
    }

    [Theory]
    [InlineData(0UL, 0UL, 0UL)]
    [InlineData(ulong.MaxValue, 1UL, 0UL)]
    [InlineData(0UL, 2UL, ulong.MaxValue - 1)]
    public void EmptyOrWrappingIsRefused(ulong guest, ulong length, ulong offset)
    {
        MemorySection[] sections = [new(guest, length, offset, 5)];
        Assert.False(MemorySection.Coalesce(sections, out _).IsOk);
    }

    [Fact]
    public void NothingStaysNothing()
    {
        Assert.True(MemorySection.Coalesce([], out int count).IsOk);
        Assert.Equal(0, count);
    }
}
