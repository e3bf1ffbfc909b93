// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;
using static System.FormattableString;

namespace VhostPci.Device.Server;

/// <summary>All slots of a server, on its bridges or on the user's ports, and what their windows have room for.</summary>
internal sealed class SlotMap
{
    private readonly IServerHost _host;
    private readonly Bus[] _buses;
    private readonly bool _ports;
    private readonly ulong _spare;

    internal SlotMap(IServerHost host, ServerConfig config, BridgePlan plan)
    {
        _host = host;
        _ports = config.SlotBuses is not null;

        // A port of the user's may be as large as the address space has room for.
        LargestWindow = _ports ? 1UL << ((int)config.PhysBits - 1) : plan.Prefetchable;

        // For alignment and for the devices' small BARs; a port has one device and no plan.
        _spare = _ports ? 0 : config.SlotSize;
        _buses = config.SlotBuses is { } names
            ? [.. names.Select(name => new Bus(name, name, 1))]
            : [.. Enumerable.Range(0, plan.Bridges).Select(index => NewBridge(config, index))];
    }

    /// <summary>The largest window that a device can have.</summary>
    internal ulong LargestWindow { get; }

    /// <summary>Finds a place for a window of this size.</summary>
    /// <param name="size">Bytes.</param>
    /// <param name="tight">Whether it may use the space that is reserved for aligning BARs, where the guest may find no address for it.</param>
    /// <param name="place">The result, which is taken.</param>
    /// <param name="hopeless">On failure, whether waiting for others to leave is of no use.</param>
    /// <param name="error">On failure, why.</param>
    internal bool TryTake(ulong size, bool tight, out SlotPlace place, out bool hopeless, out string error)
    {
        BridgeWindow[] windows = [.. _buses.Select(bus => _host.GetWindow(bus.Name))];
        hopeless = !windows.Any(window => WindowPlan.CanEverFit(size, window));

        if (TryTake(size, windows, _spare, out place) || (tight && TryTake(size, windows, 0, out place)))
        {
            error = string.Empty;
            return true;
        }

        error = _ports ? DescribePorts(size, hopeless) : DescribeBridges(size, windows);
        return false;
    }

    /// <summary>Whether that many more windows would find a place.</summary>
    internal bool HasRoomFor(int count, ulong size, bool tight)
    {
        var taken = new List<SlotPlace>();
        try
        {
            while (taken.Count < count && TryTake(size, tight, out SlotPlace place, out _, out _))
            {
                taken.Add(place);
            }
        }
        finally
        {
            taken.ForEach(place => Free(place, size));
        }

        return taken.Count == count;
    }

    /// <summary>Notes where the user has put a device; null when that is none of these buses.</summary>
    internal bool TryTakeAt(string? busName, int device, ulong size, out SlotPlace? place)
    {
        place = null;
        int index = busName is null ? -1 : Array.FindIndex(_buses, bus => bus.KnownAs == busName);
        if (index < 0)
        {
            return true;
        }

        if (!_buses[index].Slots.TryTake(device))
        {
            return false;
        }

        _buses[index].InUse += size;
        place = new SlotPlace(index, _buses[index].Name, device);
        return true;
    }

    /// <summary>Gives a place back, once its device is really gone.</summary>
    internal void Free(SlotPlace place, ulong size)
    {
        _buses[place.Index].Slots.Free(place.Device);
        _buses[place.Index].InUse -= size;
    }

    /// <summary>What address space the guest has where a device is, and what the user can do for more.</summary>
    internal string DescribeRoom(SlotPlace? place, ulong size)
    {
        if (place is not { } at)
        {
            return "give its bus more 64-bit address space, or leave out bus= and addr=";
        }

        BridgeWindow window = _host.GetWindow(at.Bus);
        string given = window.IsProgrammed
            ? Invariant($"its bus has {Bytes.Format(window.Size)} at 0x{window.Base:x}, of which other windows have {Bytes.Format(_buses[at.Index].InUse - size)}; ")
            : Invariant($"the firmware gave its bus nothing of {Bytes.Format(LargestWindow)}; ");
        return given + (_ports ? "raise pref64-reserve= of the port"
            : window.IsProgrammed ? "raise slot-size= or connections= on the vhost-pci-server"
            : "lower connections= or slot-size= on the vhost-pci-server, or use SeaBIOS");
    }

    private static Bus NewBridge(ServerConfig config, int index)
    {
        string? name = index == 0 ? null : Invariant($"{config.Id}.bridge{index}");
        return new Bus(name, name ?? config.Id, (int)config.Slots);
    }

    private static string DescribePorts(ulong size, bool hopeless) => hopeless
        ? $"none of the ports in slots= has a window of {Bytes.Format(size)} above 4 GiB: raise their pref64-reserve="
        : $"no port in slots= with a window of {Bytes.Format(size)} is free";

    private bool TryTake(ulong size, BridgeWindow[] windows, ulong spare, out SlotPlace place)
    {
        for (int i = 0; i < _buses.Length; i++)
        {
            Bus bus = _buses[i];
            if (Fits(size, spare, bus, windows[i]) && bus.Slots.TryTake(out int device))
            {
                bus.InUse += size;
                place = new SlotPlace(i, bus.Name, device);
                return true;
            }
        }

        place = default;
        return false;
    }

    private bool Fits(ulong size, ulong spare, Bus bus, BridgeWindow window)
    {
        // Before the firmware has run, what it will probably give.
        ulong room = window.IsProgrammed ? window.Size : LargestWindow;
        bool planned = spare == 0 || (room >= spare && bus.InUse + size <= room - spare);
        return planned && WindowPlan.Fits(size, bus.InUse, window);
    }

    private string DescribeBridges(ulong size, BridgeWindow[] windows)
    {
        if (_buses.All(bus => bus.Slots.IsFull))
        {
            return Invariant($"all {_buses.Sum(bus => bus.Slots.Used)} slots of the server's bridges are in use");
        }

        // The bridge that has most left says best what is missing.
        int best = Enumerable.Range(0, _buses.Length).MaxBy(i => windows[i].Size - Math.Min(windows[i].Size, _buses[i].InUse));
        return WindowPlan.DescribeMisfit(size, _buses[best].InUse, LargestWindow, windows[best]);
    }

    private sealed class Bus(string? name, string knownAs, int slots)
    {
        /// <summary>For the host; null for the server's own.</summary>
        internal string? Name => name;

        /// <summary>For the user.</summary>
        internal string KnownAs => knownAs;

        internal SlotAllocator Slots { get; } = new(slots);

        /// <summary>Bytes of windows on it.</summary>
        internal ulong InUse { get; set; }
    }
}
