// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The rings of an origin, made in groups when a message names one of them, until the device needs their number.</summary>
/// <param name="owner">Whose rings.</param>
/// <param name="perGroup">Rings that run together or not at all.</param>
internal sealed class RingTable(ISessionOwner owner, int perGroup)
{
    private readonly List<Ring> _rings = [.. Enumerable.Range(0, perGroup).Select(static _ => new Ring())];
    private readonly int _mostGroups = GuestAbi.MaxRings / perGroup;
    private bool _fixed;

    /// <summary>Rings that the origin has.</summary>
    internal int Count => _rings.Count;

    internal int PerGroup => perGroup;

    internal int Groups => _rings.Count / perGroup;

    /// <summary>A message has been about one of them.</summary>
    internal bool IsSpokenOf { get; private set; }

    internal Ring this[int index] => _rings[index];

    /// <summary>Whether there is, or can be, the ring that a message is about.</summary>
    internal Verdict Check(uint index)
    {
        if (index >= GuestAbi.MaxRings)
        {
            return Verdict.Refuse($"ring {index}: {_mostGroups} queue pairs are the most");
        }

        if (index >= Count && _fixed)
        {
            return Verdict.Refuse($"ring {index} of {Count}: its device has as many as it had spoken of when it was plugged");
        }

        return owner.CheckPairs(PairsFor((int)index / perGroup + 1));
    }

    /// <summary>The ring of an index that has been checked, made when it is spoken of for the first time.</summary>
    internal Ring Get(uint index)
    {
        IsSpokenOf = true;
        Grow((int)(index / perGroup) + 1);
        return _rings[(int)index];
    }

    /// <summary>The rings of a group.</summary>
    internal Ring[] GetGroup(int group) => [.. _rings.GetRange(group * perGroup, perGroup)];

    /// <summary>The origin has said how many groups there are; a network device calls them queue pairs.</summary>
    internal Verdict Declare(int groups)
    {
        if (groups > _mostGroups)
        {
            return Verdict.Refuse($"device info with {groups} queue pairs: {_mostGroups} are the most");
        }

        if (_fixed ? groups != Groups : groups < Groups)
        {
            return Verdict.Refuse($"device info with {groups} queue pairs after it had spoken of ring {Count - 1}");
        }

        Verdict verdict = owner.CheckPairs(PairsFor(groups));
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
        owner.SetPairs(PairsFor(Groups));
    }

    /// <summary>From here on there are no more: a device cannot get queues later.</summary>
    internal void Fix() => _fixed = true;

    internal void CloseFiles()
    {
        foreach (Ring ring in _rings)
        {
            ring.CloseFiles();
        }
    }

    internal void Reset(bool keepPositions)
    {
        foreach (Ring ring in _rings)
        {
            ring.Reset(keepPositions);
        }
    }

    /// <summary>None is in use any more.</summary>
    internal void Release()
    {
        foreach (Ring ring in _rings)
        {
            ring.IsInUse = false;
        }
    }

    /// <summary>Descriptors are counted in pairs of rings.</summary>
    private int PairsFor(int groups) => ((groups * perGroup) + 1) / 2;

    private void Grow(int groups)
    {
        while (Groups < groups)
        {
            _rings.AddRange(Enumerable.Range(0, perGroup).Select(static _ => new Ring()));
        }

        owner.SetPairs(PairsFor(Groups));
    }
}
