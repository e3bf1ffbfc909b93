// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>The origin's memory regions: what may be in one table, and which guest address a user address is.</summary>
/// <remarks>Holds numbers only. What the files behind them must be is <see cref="CheckBacking"/>.</remarks>
public sealed class MemoryTable
{
    private readonly MemoryRegion[] _regions = new MemoryRegion[MemoryPayload.MaxRegions];

    /// <summary>Number of regions.</summary>
    public int Count { get; private set; }

    /// <summary>The regions, in the order in which they came; valid until the next change.</summary>
    public ReadOnlySpan<MemoryRegion> Regions => _regions.AsSpan(0, Count);

    /// <summary>Highest guest address + 1; 0 when there is no region.</summary>
    public ulong End
    {
        get
        {
            ulong end = 0;
            foreach (ref readonly MemoryRegion region in Regions)
                end = Math.Max(end, region.GuestAddress + region.Length);
            return end;
        }
    }

    /// <summary>Judges a region by itself.</summary>
    public static Verdict CheckRegion(MemoryRegion region)
    {
        if (region.Length == 0)
            return Verdict.Refuse("a memory region of 0 bytes");
        if (Wraps(region.GuestAddress, region.Length))
            return Verdict.Refuse($"memory region 0x{region.GuestAddress:x}+0x{region.Length:x} wraps around in guest addresses");
        if (Wraps(region.UserAddress, region.Length))
            return Verdict.Refuse($"memory region 0x{region.UserAddress:x}+0x{region.Length:x} wraps around in user addresses");
        if (Wraps(region.FileOffset, region.Length))
            return Verdict.Refuse($"memory region 0x{region.FileOffset:x}+0x{region.Length:x} wraps around in its file");
        return Verdict.Ok;
    }

    /// <summary>Judges a region against the file behind it and the window that it goes into.</summary>
    /// <param name="region">The region; <see cref="CheckRegion"/> need not have seen it.</param>
    /// <param name="fileSize">Bytes of the file.</param>
    /// <param name="pageSize">Page size of the file in bytes, a power of two.</param>
    /// <param name="windowSize">Bytes of the window; guest address 0 is its first byte.</param>
    public static Verdict CheckBacking(MemoryRegion region, ulong fileSize, ulong pageSize, ulong windowSize)
    {
        Verdict verdict = CheckRegion(region);
        if (!verdict.IsOk)
            return verdict;
        if (!ulong.IsPow2(pageSize))
            return Verdict.Refuse($"a file with pages of {pageSize} bytes");
        if (((region.GuestAddress | region.Length | region.FileOffset) & (pageSize - 1)) != 0)
        {
            return Verdict.Refuse(
                $"memory region 0x{region.GuestAddress:x}+0x{region.Length:x} at 0x{region.FileOffset:x} of its file is not aligned to its pages of {pageSize} bytes");
        }

        if (region.FileOffset + region.Length > fileSize)
            return Verdict.Refuse($"memory region ends at byte {region.FileOffset + region.Length} of a file of {fileSize} bytes");
        if (region.GuestAddress + region.Length > windowSize)
        {
            return Verdict.Refuse(
                $"memory region ends at guest address 0x{region.GuestAddress + region.Length:x}, past the window of 0x{windowSize:x} bytes");
        }

        return Verdict.Ok;
    }

    /// <summary>A table with the same regions.</summary>
    public MemoryTable Copy()
    {
        var copy = new MemoryTable { Count = Count };
        Regions.CopyTo(copy._regions);
        return copy;
    }

    /// <summary>Adds a region that is sound by itself and overlaps none in guest or user addresses.</summary>
    /// <returns>On refusal the table is unchanged.</returns>
    public Verdict Add(MemoryRegion region)
    {
        Verdict verdict = CheckRegion(region);
        if (!verdict.IsOk)
            return verdict;
        if (Count == MemoryPayload.MaxRegions)
            return Verdict.Refuse($"more than {MemoryPayload.MaxRegions} memory regions");

        foreach (ref readonly MemoryRegion other in Regions)
        {
            if (Overlap(region.GuestAddress, region.Length, other.GuestAddress, other.Length))
                return Verdict.Refuse($"memory region at 0x{region.GuestAddress:x} overlaps the one at 0x{other.GuestAddress:x}");
            if (Overlap(region.UserAddress, region.Length, other.UserAddress, other.Length))
            {
                return Verdict.Refuse(
                    $"memory region at user address 0x{region.UserAddress:x} overlaps the one at 0x{other.UserAddress:x}");
            }
        }

        _regions[Count++] = region;
        return Verdict.Ok;
    }

    /// <summary>Finds a region by guest address, user address and length.</summary>
    /// <remarks>The file offset is not compared: front-ends are known to send junk there in REM_MEM_REG.</remarks>
    /// <returns>Its position in <see cref="Regions"/>, or -1.</returns>
    public int Find(MemoryRegion region)
    {
        for (int i = 0; i < Count; i++)
        {
            ref readonly MemoryRegion other = ref _regions[i];
            if (other.GuestAddress == region.GuestAddress && other.UserAddress == region.UserAddress && other.Length == region.Length)
                return i;
        }

        return -1;
    }

    /// <summary>Removes the region that <see cref="Find"/> finds; those behind it move up by one.</summary>
    /// <returns>On refusal the table is unchanged.</returns>
    public Verdict Remove(MemoryRegion region)
    {
        int index = Find(region);
        if (index < 0)
            return Verdict.Refuse($"no memory region 0x{region.GuestAddress:x}+0x{region.Length:x} to remove");

        _regions.AsSpan(index + 1, Count - index - 1).CopyTo(_regions.AsSpan(index));
        Count--;
        return Verdict.Ok;
    }

    /// <summary>Forgets all regions.</summary>
    public void Clear() => Count = 0;

    /// <summary>Turns a range of user addresses into guest-physical ones.</summary>
    /// <param name="userAddress">First byte.</param>
    /// <param name="length">Bytes; a range of 0 bytes is in no region.</param>
    /// <param name="guestAddress">The first byte, guest-physical.</param>
    /// <returns>False unless the whole range is inside one region: neighbours in user addresses need not be neighbours in the guest.</returns>
    public bool TryTranslate(ulong userAddress, ulong length, out ulong guestAddress)
    {
        foreach (ref readonly MemoryRegion region in Regions)
        {
            if (userAddress < region.UserAddress)
                continue;
            ulong into = userAddress - region.UserAddress;
            if (into < region.Length && length != 0 && length <= region.Length - into)
            {
                guestAddress = region.GuestAddress + into;
                return true;
            }
        }

        guestAddress = 0;
        return false;
    }

    /// <summary>Turns the addresses of a ring into guest-physical ones and checks that all three areas are whole and aligned.</summary>
    /// <param name="user">What SET_VRING_ADDR said.</param>
    /// <param name="layout">The ring's size.</param>
    /// <param name="guest">The same with guest-physical addresses and without the log address.</param>
    public Verdict TranslateRing(VringAddress user, RingLayout layout, out VringAddress guest)
    {
        guest = default;
        Verdict verdict = TranslateArea("descriptor table", user.Desc, layout.DescSize, RingLayout.DescAlignment, out ulong desc);
        if (!verdict.IsOk)
            return verdict;
        verdict = TranslateArea(layout.Packed ? "driver event area" : "available ring", user.Avail, layout.AvailSize, layout.AvailAlignment, out ulong avail);
        if (!verdict.IsOk)
            return verdict;
        verdict = TranslateArea(layout.Packed ? "device event area" : "used ring", user.Used, layout.UsedSize, RingLayout.UsedAlignment, out ulong used);
        if (!verdict.IsOk)
            return verdict;

        guest = new VringAddress(user.Index, user.Flags, desc, used, avail, 0);
        return Verdict.Ok;
    }

    private static bool Wraps(ulong start, ulong length) => length > ulong.MaxValue - start;

    // Neither range wraps: Add has seen to that.
    private static bool Overlap(ulong a, ulong aLength, ulong b, ulong bLength) => a < b + bLength && b < a + aLength;

    private Verdict TranslateArea(string name, ulong user, ulong size, uint alignment, out ulong guest)
    {
        if (!TryTranslate(user, size, out guest))
            return Verdict.Refuse($"the {name} at user address 0x{user:x} ({size} bytes) is not inside one memory region");
        return guest % alignment == 0
            ? Verdict.Ok
            : Verdict.Refuse($"the {name} at guest address 0x{guest:x} is not aligned to {alignment} bytes");
    }
}
