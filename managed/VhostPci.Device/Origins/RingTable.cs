// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The rings of an origin. They are made in pairs when they are first spoken of, until the device needs their number.</summary>
internal sealed class RingTable(ISessionOwner owner)
{
    private readonly List<Ring> _rings = [new(), new()];
    private bool _fixed;

    /// <summary>Rings that the origin has: two for each pair.</summary>
    internal int Count => _rings.Count;

    internal int Pairs => _rings.Count / 2;

    internal Ring this[int index] => _rings[index];

    /// <summary>Whether there is, or can be, the ring that a message is about.</summary>
    internal Verdict Check(uint index)
    {
        if (index >= GuestAbi.MaxRings)
        {
            return Verdict.Refuse($"ring {index}: {GuestAbi.MaxQueuePairs} queue pairs are the most");
        }

        if (index >= Count && _fixed)
        {
            return Verdict.Refuse($"ring {index} of {Count}: its device has as many as it had spoken of when it was plugged");
        }

        return owner.CheckPairs((int)(index / 2) + 1);
    }

    /// <summary>The ring of an index that has been checked, made when it is spoken of for the first time.</summary>
    internal Ring Get(uint index)
    {
        Grow((int)(index / 2) + 1);
        return _rings[(int)index];
    }

    /// <summary>The origin has said how many there are.</summary>
    internal Verdict Declare(int pairs)
    {
        if (pairs > GuestAbi.MaxQueuePairs)
        {
            return Verdict.Refuse($"device info with {pairs} queue pairs: {GuestAbi.MaxQueuePairs} are the most");
        }

        if (_fixed ? pairs != Pairs : pairs < Pairs)
        {
            return Verdict.Refuse($"device info with {pairs} queue pairs after it had spoken of ring {Count - 1}");
        }

        Verdict verdict = owner.CheckPairs(pairs);
        if (verdict.IsOk)
        {
            Grow(pairs);
        }

        return verdict;
    }

    /// <summary>Forgets those that were made last.</summary>
    internal void Truncate(int count)
    {
        _rings.RemoveRange(count, _rings.Count - count);
        owner.SetPairs(Pairs);
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

    private void Grow(int pairs)
    {
        while (Pairs < pairs)
        {
            _rings.Add(new Ring());
            _rings.Add(new Ring());
        }

        owner.SetPairs(Pairs);
    }
}
