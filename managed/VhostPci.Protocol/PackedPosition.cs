// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Where a packed ring stands: the next slot, and the wrap counter, which changes with each round.</summary>
/// <param name="Slot">From 0; not checked against the size of the ring.</param>
/// <param name="Wrap">The wrap counter.</param>
public readonly record struct PackedPosition(ushort Slot, bool Wrap)
{
    private const uint WrapBit = 0x8000;

    /// <summary>The position in the format of the ring's event areas: slot, and the wrap counter as bit 15.</summary>
    public ushort Value => (ushort)(Slot | (Wrap ? WrapBit : 0));

    /// <summary>As SET_VRING_BASE and GET_VRING_BASE have it: where the next buffer is taken, and, above, where the next is returned.</summary>
    public uint ToWire() => Value | ((uint)Value << 16);

    /// <summary>Reads what SET_VRING_BASE said.</summary>
    /// <remarks>Some front-ends (DPDK's) leave the upper half 0.</remarks>
    /// <returns>False when the halves differ: buffers are under way, and a packed ring does not tell which.</returns>
    public static bool TryFromWire(uint value, out PackedPosition position)
    {
        uint taken = value & ushort.MaxValue;
        uint returned = value >> 16;
        position = FromValue((ushort)taken);
        return returned == 0 || returned == taken;
    }

    /// <summary>The opposite of <see cref="Value"/>.</summary>
    public static PackedPosition FromValue(ushort value) => new((ushort)(value & ~WrapBit), (value & WrapBit) != 0);
}
