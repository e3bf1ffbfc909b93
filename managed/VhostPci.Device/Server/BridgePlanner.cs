// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Numerics;

namespace VhostPci.Device.Server;

/// <summary>What a server's bridge has to reserve in the guest's address space.</summary>
/// <param name="Prefetchable">Bytes of 64-bit prefetchable window.</param>
/// <param name="NonPrefetchable">Bytes of 32-bit window.</param>
/// <param name="OvmfMmio64Mebibytes">What OVMF must be told, so that it makes the hole large enough.</param>
public readonly record struct BridgePlan(ulong Prefetchable, ulong NonPrefetchable, ulong OvmfMmio64Mebibytes);

/// <summary>Computes <see cref="BridgePlan"/> (design D10); pure.</summary>
public static class BridgePlanner
{
    /// <summary>The smallest window: one below 4 GiB in size can end up below 4 GiB in address.</summary>
    public const ulong MinimumSlotSize = 4UL << 30;

    /// <summary>What one bridge in this version can hold.</summary>
    public const uint MaximumConnections = 32;

    private const ulong TableWindow = 4UL << 20;
    private const uint MinimumPhysBits = 36;
    private const uint MaximumPhysBits = 52;

    /// <summary>Sizes the bridge, or says what the user has to change.</summary>
    public static bool TryPlan(ServerConfig config, out BridgePlan plan, out string error)
    {
        ArgumentNullException.ThrowIfNull(config);
        plan = default;
        if (config.Connections is < 1 or > MaximumConnections)
        {
            error = Invariant($"connections={config.Connections} is not supported: one server takes 1 to {MaximumConnections}; add another vhost-pci-server for more");
            return false;
        }

        if (config.Connections > config.Slots)
        {
            error = Invariant($"connections={config.Connections} does not fit on the bus, which has {config.Slots} usable slots: lower connections=");
            return false;
        }

        if (config.SlotBuses is { } buses && (buses.Contains(string.Empty) || buses.Distinct().Count() != buses.Count))
        {
            error = "slots= must be the names of different buses, as slots=rp0:rp1 for -device pcie-root-port,id=rp0 and id=rp1";
            return false;
        }

        if (config.PhysBits is < MinimumPhysBits or > MaximumPhysBits)
        {
            error = Invariant($"a CPU with {config.PhysBits} physical address bits is not supported ({MinimumPhysBits} to {MaximumPhysBits} are): choose another -cpu or phys-bits=");
            return false;
        }

        if (config.SlotSize < MinimumSlotSize || !BitOperations.IsPow2(config.SlotSize))
        {
            error = Invariant($"slot-size={Bytes.Format(config.SlotSize)} must be a power of two and at least 4 GiB: a window below 4 GiB gets uncached from the x86 MTRRs");
            return false;
        }

        if (config.SlotBuses is null)
        {
            return TryReserve(config, out plan, out error);
        }

        // The user's ports have windows of their own.
        error = string.Empty;
        return true;
    }

    private static bool TryReserve(ServerConfig config, out BridgePlan plan, out string error)
    {
        plan = default;
        ulong space = 1UL << (int)config.PhysBits;

        // SeaBIOS aligns the window to 1 GiB only, so one slot more than connections makes sure that all are aligned.
        UInt128 wanted = (UInt128)config.SlotSize * (config.Connections + 1);
        if (RoundUp(wanted) > space / 4)
        {
            // OVMF rounds up to a power of two and aligns to it: do without the spare slot before it gets too large.
            wanted = RoundUp((UInt128)config.SlotSize * config.Connections);
        }

        if (wanted > space / 2 || wanted + config.MaxMemory > space)
        {
            error = Invariant($"{config.Connections} connections with slot-size={Bytes.Format(config.SlotSize)} need {Bytes.Format(wanted)} of address space, ")
                + Invariant($"but the CPU's {config.PhysBits} physical address bits give {Bytes.Format(space)}, of which half may be used: lower connections= or slot-size=");
            return false;
        }

        ulong reserve = (ulong)wanted;
        ulong hole = Math.Min(2 * BitOperations.RoundUpToPowerOf2(reserve), space / 2);
        plan = new BridgePlan(reserve, TableWindow, hole >> 20);
        error = string.Empty;
        return true;
    }

    private static UInt128 RoundUp(UInt128 value)
    {
        UInt128 power = UInt128.One;
        while (power < value)
        {
            power <<= 1;
        }

        return power;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
