// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Server;

/// <summary>PCI device numbers of a bridge's bus.</summary>
public sealed class SlotAllocator
{
    private readonly bool[] _used;

    /// <summary>Creates an allocator for numbers 0 to <paramref name="slots"/> - 1.</summary>
    public SlotAllocator(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slots);
        _used = new bool[slots];
    }

    /// <summary>Slots in use.</summary>
    public int Used { get; private set; }

    /// <summary>Whether all are.</summary>
    public bool IsFull => Used == _used.Length;

    /// <summary>Takes the first free slot in order; number 0 comes last because a standard hot-plug controller has none for it.</summary>
    public bool TryTake(out int slot)
    {
        for (int i = 1; i <= _used.Length; i++)
        {
            slot = i % _used.Length;
            if (TryTake(slot))
            {
                return true;
            }
        }

        slot = -1;
        return false;
    }

    /// <summary>Takes a certain slot, where the user has put a device.</summary>
    public bool TryTake(int slot)
    {
        if (slot < 0 || slot >= _used.Length || _used[slot])
        {
            return false;
        }

        _used[slot] = true;
        Used++;
        return true;
    }

    /// <summary>Gives a slot back, once its device is really gone.</summary>
    public void Free(int slot)
    {
        if (!_used[slot])
        {
            throw new InvalidOperationException("slot is not in use");
        }

        _used[slot] = false;
        Used--;
    }
}
