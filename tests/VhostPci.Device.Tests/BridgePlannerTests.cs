// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;
using VhostPci.Device.Server;

namespace VhostPci.Device.Tests;

public sealed class BridgePlannerTests
{
    private const ulong GiB = 1UL << 30;

    [Theory]
    [InlineData(1, 4, 40, 1, 8, 16384)]
    [InlineData(4, 16, 40, 1, 80, 262144)]
    [InlineData(32, 4, 40, 1, 132, 524288)]
    [InlineData(33, 4, 40, 2, 72, 524288)]
    [InlineData(64, 4, 40, 3, 92, 524288)]
    [InlineData(255, 4, 43, 8, 132, 4194304)]
    [InlineData(255, 16, 46, 8, 528, 16777216)]
    [InlineData(32, 4, 39, 3, 48, 262144)]
    public void Plans_what_both_firmwares_can_place(uint connections, ulong slotGib, uint bits, int bridges, ulong reserveGib, ulong ovmfMib)
    {
        Assert.True(BridgePlanner.TryPlan(Config(connections, slotGib * GiB, bits), [], out BridgePlan plan, out string error), error);
        Assert.Equal(new BridgePlan(bridges, reserveGib * GiB, 4UL << 20, ovmfMib), plan);
    }

    [Theory]
    [InlineData(32, 16, 40, 1, 528)]
    [InlineData(128, 4, 40, 4, 132)]
    [InlineData(240, 4, 40, 8, 124)]
    public void Or_at_least_SeaBIOS(uint connections, ulong slotGib, uint bits, int bridges, ulong reserveGib)
    {
        Assert.True(BridgePlanner.TryPlan(Config(connections, slotGib * GiB, bits), [], out BridgePlan plan, out string error), error);
        Assert.Equal(new BridgePlan(bridges, reserveGib * GiB, 4UL << 20, 1UL << ((int)bits - 21)), plan);
    }

    [Theory]
    [InlineData(0, 4 * GiB, 40, "connections=0")]
    [InlineData(256, 4 * GiB, 40, "connections=256 is not supported: one server takes 1 to 255")]
    [InlineData(4, 2 * GiB, 40, "MTRR")]
    [InlineData(4, 5 * GiB, 40, "power of two")]
    [InlineData(4, 0, 40, "power of two")]
    [InlineData(4, 1UL << 63, 40, ": lower slot-size= to 128G")]
    [InlineData(255, 4 * GiB, 40, "need 1 TiB of address space and the CPU's 40 physical address bits give 1 TiB for everything: "
        + "lower connections= to 240, or use a CPU with 41 bits (-cpu ...,phys-bits=41)")]
    [InlineData(64, 16 * GiB, 40, "lower connections= to 60, or lower slot-size= to 8G, or use a CPU with 41 bits")]
    [InlineData(32, 4 * GiB, 36, "lower connections= to 12, or use a CPU with 38 bits")]
    [InlineData(2, 1UL << 51, 52, ": lower slot-size= to 1048576G")]
    [InlineData(4, 4 * GiB, 32, "phys-bits=")]
    public void Says_what_to_change(uint connections, ulong slotSize, uint bits, string expected)
    {
        Assert.False(BridgePlanner.TryPlan(Config(connections, slotSize, bits), [], out _, out string error));
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void No_number_may_fit()
    {
        ServerConfig config = Config(1, 4 * GiB, 52) with { MaxMemory = ulong.MaxValue };
        Assert.False(BridgePlanner.TryPlan(config, [], out _, out string error));
        Assert.EndsWith(": lower connections= and slot-size=", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_number_that_is_said_to_fit_does()
    {
        for (uint bits = 36; bits <= 42; bits++)
        {
            for (ulong size = 4 * GiB; size <= 64 * GiB; size *= 2)
            {
                ServerConfig config = Config(255, size, bits);
                if (BridgePlanner.TryPlan(config, [], out _, out string error) || !error.Contains("lower connections= to", StringComparison.Ordinal))
                {
                    continue;
                }

                uint number = uint.Parse(error.Split("lower connections= to ")[1].Split([',', '.'])[0], null);
                Assert.True(BridgePlanner.TryPlan(config with { Connections = number }, [], out _, out error), error);
                Assert.False(BridgePlanner.TryPlan(config with { Connections = number + 1 }, [], out _, out _));
            }
        }
    }

    [Fact]
    public void A_plan_has_a_slot_and_room_for_each_and_fits()
    {
        for (uint connections = 1; connections <= 255; connections++)
        {
            Assert.True(BridgePlanner.TryPlan(Config(connections, 4 * GiB, 42), [], out BridgePlan plan, out string error), error);
            Assert.InRange(plan.Bridges, 1, 8);
            Assert.True(plan.Bridges * 32 >= connections);
            Assert.True((ulong)plan.Bridges * (plan.Prefetchable - (4 * GiB)) >= connections * 4 * GiB);
            Assert.True((ulong)plan.Bridges * plan.Prefetchable < (1UL << 42) - (8 * GiB));
        }
    }

    [Fact]
    public void Several_servers_share_the_space()
    {
        ServerConfig config = Config(32, 4 * GiB, 40);
        Assert.True(BridgePlanner.TryPlan(config, [], out BridgePlan first, out _));
        Assert.Equal((1, 132 * GiB, 524288UL), (first.Bridges, first.Prefetchable, first.OvmfMmio64Mebibytes));

        // OVMF makes 256 GiB of the first, so one more such does not fit into its half; three small ones do.
        Assert.True(BridgePlanner.TryPlan(config, [first], out BridgePlan second, out _));
        Assert.Equal((3, 48 * GiB, 524288UL), (second.Bridges, second.Prefetchable, second.OvmfMmio64Mebibytes));

        Assert.True(BridgePlanner.TryPlan(Config(160, 4 * GiB, 40), [first, second], out BridgePlan third, out _));
        Assert.False(BridgePlanner.TryPlan(config, [first, second, third], out _, out string error));
        Assert.Contains("beside the other vhost-pci-servers", error, StringComparison.Ordinal);
        Assert.Contains("lower connections= to 15", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ports_of_the_users_need_no_plan()
    {
        ServerConfig config = Config(2, 4 * GiB, 40) with { SlotBuses = ["rp0", "rp1"] };
        Assert.True(BridgePlanner.TryPlan(config, [], out BridgePlan plan, out _));
        Assert.Equal(new BridgePlan(1, 0, 0, 0), plan);
        Assert.False(BridgePlanner.TryPlan(config with { SlotSize = GiB }, [], out _, out string error));
        Assert.Contains("MTRR", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Slots_begin_with_1_and_end_with_0_and_are_reused()
    {
        var slots = new SlotAllocator(4);
        int[] taken = [.. Enumerable.Range(0, 4).Select(_ => slots.TryTake(out int slot) ? slot : -1)];
        Assert.Equal([1, 2, 3, 0], taken);
        Assert.True(slots.IsFull);
        Assert.False(slots.TryTake(out _));
        slots.Free(2);
        Assert.True(slots.TryTake(out int again));
        Assert.Equal(2, again);
        slots.Free(2);
        Assert.Throws<InvalidOperationException>(() => slots.Free(2));
    }

    [Fact]
    public void Descriptors_are_counted()
    {
        Assert.Equal(128UL + (255 * (49 + 4)), Budgets.CountDescriptors(255, 1));
        Assert.Equal(128UL + (49 + (4 * 32)), Budgets.CountDescriptors(1, 32));
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
