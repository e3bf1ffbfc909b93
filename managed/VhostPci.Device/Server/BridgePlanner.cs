// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using VhostPci.Device.Common;
using static System.FormattableString;

namespace VhostPci.Device.Server;

/// <summary>The bridges of a server, all alike, and what each has to reserve in the guest's address space.</summary>
/// <param name="Bridges">1: the server itself; the others are beside it.</param>
/// <param name="Prefetchable">Bytes of 64-bit prefetchable window.</param>
/// <param name="NonPrefetchable">Bytes of 32-bit window.</param>
/// <param name="OvmfMmio64Mebibytes">What OVMF must be told, so that it makes the hole large enough; 0 for nothing.</param>
public readonly record struct BridgePlan(int Bridges, ulong Prefetchable, ulong NonPrefetchable, ulong OvmfMmio64Mebibytes);

/// <summary>Computes <see cref="BridgePlan"/> (ADR 0004, 0016); pure. All that the core knows of SeaBIOS, OVMF and MTRRs is here.</summary>
public static class BridgePlanner
{
    /// <summary>The smallest window: one below 4 GiB in size can end up below 4 GiB in address.</summary>
    public const ulong MinimumSlotSize = 4UL << 30;

    /// <summary>Eight bridges, as many as a PCI slot has functions, have a slot for each.</summary>
    public const uint MaximumConnections = 255;

    private const int MaximumBridges = 8;
    private const ulong TableWindow = 4UL << 20;
    private const uint MinimumPhysBits = 36;
    private const uint MaximumPhysBits = 52;

    // RAM and holes below 4 GiB, and what aligning and other devices take above.
    private const ulong OtherUses = 8UL << 30;

    // AMD's CPUs have 12 GiB below 1 TiB for themselves.
    private const int HyperTransportBits = 40;
    private const ulong HyperTransport = 12UL << 30;

    /// <summary>Sizes the bridges, or says what the user has to change.</summary>
    /// <param name="config">What the user asked for.</param>
    /// <param name="others">Plans of the servers that are there already.</param>
    /// <param name="plan">The result.</param>
    /// <param name="error">On failure, one line for the user.</param>
    public static bool TryPlan(ServerConfig config, IReadOnlyCollection<BridgePlan> others, out BridgePlan plan, out string error)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(others);
        plan = new BridgePlan(1, 0, 0, 0);
        if (config.Connections is < 1 or > MaximumConnections)
        {
            error = Invariant($"connections={config.Connections} is not supported: one server takes 1 to {MaximumConnections}; add another vhost-pci-server for more");
            return false;
        }

        if (config.SlotBuses is { } buses)
        {
            // The user's ports have windows of their own.
            return TryPorts(config, buses, out error);
        }

        if (config.PhysBits is < MinimumPhysBits or > MaximumPhysBits)
        {
            error = Invariant($"a CPU with {config.PhysBits} physical address bits is not supported ({MinimumPhysBits} to {MaximumPhysBits} are): choose another -cpu or phys-bits=");
            return false;
        }

        if (TrySlotSize(config, out error) && !TryReserve(config, others, out plan))
        {
            error = Describe(config, others);
        }

        return error.Length == 0;
    }

    private static bool TryPorts(ServerConfig config, IReadOnlyList<string> buses, out string error)
    {
        if (config.Connections > buses.Count)
        {
            error = Invariant($"connections={config.Connections} does not fit on the {buses.Count} buses of slots=: name more or lower connections=");
            return false;
        }

        if (buses.Contains(string.Empty) || buses.Distinct().Count() != buses.Count)
        {
            error = "slots= must be the names of different buses, as slots=rp0:rp1 for -device pcie-root-port,id=rp0 and id=rp1";
            return false;
        }

        return TrySlotSize(config, out error);
    }

    private static bool TrySlotSize(ServerConfig config, out string error)
    {
        bool good = config.SlotSize >= MinimumSlotSize && BitOperations.IsPow2(config.SlotSize);
        error = good
            ? string.Empty
            : Invariant($"slot-size={Bytes.Format(config.SlotSize)} must be a power of two and at least 4 GiB: a window below 4 GiB gets uncached from the x86 MTRRs");
        return good;
    }

    /// <summary>As few bridges as both firmwares can place, or else as SeaBIOS can.</summary>
    /// <remarks>
    /// SeaBIOS aligns windows to 1 GiB only, and Linux puts the small 64-bit BARs between the large ones: one slot's size more than
    /// there are slots makes room for both. OVMF rounds up to a power of two and aligns to it, inside at most half of the address space,
    /// where the other devices must fit, too; so more bridges can take less.
    /// </remarks>
    private static bool TryReserve(ServerConfig config, IReadOnlyCollection<BridgePlan> others, out BridgePlan plan)
    {
        UInt128 space = UInt128.One << (int)config.PhysBits;
        UInt128 exact = config.MaxMemory + (UInt128)OtherUses + (config.PhysBits >= HyperTransportBits ? HyperTransport : 0);
        UInt128 rounded = 0;
        foreach (BridgePlan other in others)
        {
            exact += (UInt128)other.Prefetchable * (UInt128)other.Bridges;
            rounded += RoundUp(other.Prefetchable) * (UInt128)other.Bridges;
        }

        uint least = (config.Connections + config.Slots - 1) / config.Slots;
        foreach (bool both in (bool[])[true, false])
        {
            for (uint bridges = least; bridges <= MaximumBridges; bridges++)
            {
                UInt128 size = SizeOf(config, bridges);
                UInt128 all = rounded + (RoundUp(size) * bridges);
                if (exact + (size * bridges) <= space && (!both || all < space / 2))
                {
                    plan = new BridgePlan((int)bridges, (ulong)size, TableWindow, (ulong)((both ? RoundUp(all + 1) : space / 2) >> 20));
                    return true;
                }
            }
        }

        plan = default;
        return false;
    }

    private static UInt128 SizeOf(ServerConfig config, uint bridges)
        => (UInt128)config.SlotSize * (((config.Connections + bridges - 1) / bridges) + 1);

    private static string Describe(ServerConfig config, IReadOnlyCollection<BridgePlan> others)
    {
        uint most = config.Connections - 1;
        while (most > 0 && !TryReserve(config with { Connections = most }, others, out _))
        {
            most--;
        }

        ulong slotSize = config.SlotSize / 2;
        while (slotSize >= MinimumSlotSize && !TryReserve(config with { SlotSize = slotSize }, others, out _))
        {
            slotSize /= 2;
        }

        uint bits = config.PhysBits + 1;
        while (bits <= MaximumPhysBits && !TryReserve(config with { PhysBits = bits }, others, out _))
        {
            bits++;
        }

        string[] ways =
        [
            .. most > 0 ? [Invariant($"lower connections= to {most}")] : Array.Empty<string>(),
            .. slotSize >= MinimumSlotSize ? [Invariant($"lower slot-size= to {slotSize >> 30}G")] : Array.Empty<string>(),
            .. bits <= MaximumPhysBits ? [Invariant($"use a CPU with {bits} bits (-cpu ...,phys-bits={bits})")] : Array.Empty<string>(),
        ];
        UInt128 wanted = (UInt128)config.SlotSize * (config.Connections + 1);
        return Invariant($"{config.Connections} connections with slot-size={Bytes.Format(config.SlotSize)} need {Bytes.Format(wanted)} of address space ")
            + (others.Count == 0 ? string.Empty : "beside the other vhost-pci-servers ")
            + Invariant($"and the CPU's {config.PhysBits} physical address bits give {Bytes.Format(UInt128.One << (int)config.PhysBits)} for everything: ")
            + (ways.Length == 0 ? "lower connections= and slot-size=" : string.Join(", or ", ways));
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
}
