// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The rings of an origin, made in groups when a message names one of them, until the device needs their number.</summary>
internal sealed class RingTable
{
    private readonly DeviceClaim _claim;
    private readonly List<Ring> _rings = [];
    private bool _isFixed;

    internal RingTable(DeviceClaim claim)
    {
        _claim = claim;
        Begin(claim.DefaultClass.RingsPerGroup);
    }

    /// <summary>Rings that the origin has.</summary>
    internal int Count => _rings.Count;

    /// <summary>Rings that run together or not at all.</summary>
    internal int PerGroup { get; private set; }

    internal int Groups => _rings.Count / PerGroup;

    private int MostGroups => GuestAbi.MaxRings / PerGroup;

    /// <summary>A message has been about one of them.</summary>
    internal bool IsSpokenOf { get; private set; }

    internal Ring this[int index] => _rings[index];

    /// <summary>Begins with one group, before a message has been about any.</summary>
    internal void Begin(int perGroup)
    {
        PerGroup = perGroup;
        _rings.Clear();
        AddGroup();
    }

    /// <summary>Whether there is, or can be, the ring that a message is about.</summary>
    internal Verdict Check(uint index)
    {
        if (index >= GuestAbi.MaxRings)
        {
            return Verdict.Refuse($"ring {index}: {MostGroups} queue pairs are the most");
        }

        if (index >= Count && _isFixed)
        {
            return Verdict.Refuse($"ring {index} of {Count}: its device has as many as it had spoken of when it was plugged");
        }

        return _claim.CheckPairs(PairsFor((int)index / PerGroup + 1));
    }

    /// <summary>The ring of an index that has been checked, made when it is spoken of for the first time.</summary>
    internal Ring Get(uint index)
    {
        IsSpokenOf = true;
        Grow((int)(index / PerGroup) + 1);
        return _rings[(int)index];
    }

    /// <summary>The rings of a group.</summary>
    internal Ring[] GetGroup(int group) => [.. _rings.GetRange(group * PerGroup, PerGroup)];

    /// <summary>The origin has said how many groups there are; a network device calls them queue pairs.</summary>
    internal Verdict Declare(int groups)
    {
        if (groups > MostGroups)
        {
            return Verdict.Refuse($"device info with {groups} queue pairs: {MostGroups} are the most");
        }

        if (_isFixed ? groups != Groups : groups < Groups)
        {
            return Verdict.Refuse($"device info with {groups} queue pairs after it had spoken of ring {Count - 1}");
        }

        Verdict verdict = _claim.CheckPairs(PairsFor(groups));
        if (verdict.IsOk)
        {
            Grow(groups);
        }

        return verdict;
    }

    /// <summary>Forgets those that were made last.</summary>
    internal void Truncate(int count)
    {
        _rings.RemoveRange(count, _rings.Count - count);
        _claim.SetPairs(PairsFor(Groups));
    }

    /// <summary>Sees to a device for memory up to <paramref name="memoryEnd"/>. It is plugged with all the queues that it will ever have: from here on there are no more rings.</summary>
    internal Verdict RequireDevice(ulong memoryEnd)
    {
        _isFixed = true;
        return _claim.RequireDevice(memoryEnd);
    }

    internal void CloseFiles() => _rings.ForEach(static ring => ring.CloseFiles());

    internal void Reset(bool keepPositions) => _rings.ForEach(ring => ring.Reset(keepPositions));

    /// <summary>None is in use any more.</summary>
    internal void Release() => _rings.ForEach(static ring => ring.IsInUse = false);

    /// <summary>Descriptors are counted in pairs of rings.</summary>
    private int PairsFor(int groups) => ((groups * PerGroup) + 1) / 2;

    private void Grow(int groups)
    {
        while (Groups < groups)
        {
            AddGroup();
        }

        _claim.SetPairs(PairsFor(Groups));
    }

    private void AddGroup() => _rings.AddRange(Enumerable.Range(0, PerGroup).Select(static _ => new Ring()));
}
