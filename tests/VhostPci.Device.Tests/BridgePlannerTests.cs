// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Server;

namespace VhostPci.Device.Tests;

public sealed class BridgePlannerTests
{
    private const ulong GiB = 1UL << 30;

    [Theory]
    [InlineData(32, 4, 40, 132, 524288)]
    [InlineData(1, 4, 40, 8, 16384)]
    [InlineData(4, 16, 40, 80, 262144)]
    [InlineData(32, 4, 39, 128, 262144)]
    [InlineData(32, 16, 40, 512, 524288)]
    public void Plans(uint connections, ulong slotGib, uint bits, ulong reserveGib, ulong ovmfMib)
    {
        Assert.True(BridgePlanner.TryPlan(Config(connections, slotGib * GiB, bits), out BridgePlan plan, out string error), error);
        Assert.Equal(reserveGib * GiB, plan.Prefetchable);
        Assert.Equal(4UL << 20, plan.NonPrefetchable);
        Assert.Equal(ovmfMib, plan.OvmfMmio64Mebibytes);
    }

    [Theory]
    [InlineData(0, 4 * GiB, 40, "connections=0")]
    [InlineData(33, 4 * GiB, 40, "connections=33")]
    [InlineData(4, 2 * GiB, 40, "MTRR")]
    [InlineData(4, 5 * GiB, 40, "power of two")]
    [InlineData(4, 0, 40, "power of two")]
    [InlineData(4, 1UL << 63, 40, "lower connections= or slot-size=")]
    [InlineData(32, 32 * GiB, 40, "need 1 TiB of address space, but the CPU's 40 physical address bits give 1 TiB")]
    [InlineData(32, 4 * GiB, 36, "lower connections= or slot-size=")]
    [InlineData(4, 4 * GiB, 32, "phys-bits=")]
    public void Says_what_to_change(uint connections, ulong slotSize, uint bits, string expected)
    {
        Assert.False(BridgePlanner.TryPlan(Config(connections, slotSize, bits), out _, out string error));
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Slots_begin_with_1_and_end_with_0_and_are_reused()
    {
        var slots = new SlotAllocator(4);
        int[] taken = [.. Enumerable.Range(0, 4).Select(_ => slots.TryTake(out int slot) ? slot : -1)];
        Assert.Equal([1, 2, 3, 0], taken);
        Assert.False(slots.TryTake(out _));
        slots.Free(2);
        Assert.True(slots.TryTake(out int again));
        Assert.Equal(2, again);
        slots.Free(2);
        Assert.Throws<InvalidOperationException>(() => slots.Free(2));
    }

    private static ServerConfig Config(uint connections, ulong slotSize, uint bits) => new()
    {
        Id = "s",
        Connections = connections,
        SlotSize = slotSize,
        MaxMemory = GiB,
        PhysBits = bits,
        Slots = 32,
    };
}
