// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>An Ethernet address; <c>default</c> is all zeroes: not known.</summary>
public readonly record struct MacAddress
{
    /// <summary>Bytes of an address.</summary>
    public const int Size = 6;

    private const ulong MulticastBit = 1UL << 40;
    private const ulong LocalBit = 1UL << 41;

    // "VP", which has the local bit and not the group bit.
    private const ulong MirrorPrefix = 0x5650UL << 32;

    private readonly ulong _value;

    private MacAddress(ulong value) => _value = value;

    /// <summary>Whether the address is not known.</summary>
    public bool IsZero => _value == 0;

    /// <summary>Whether it names a group, which no interface can have as its own.</summary>
    public bool IsMulticast => (_value & MulticastBit) != 0;

    /// <summary>Whether it is locally administered.</summary>
    public bool IsLocal => (_value & LocalBit) != 0;

    /// <summary>Reads an address, first byte first.</summary>
    /// <param name="source">At least <see cref="Size"/> bytes.</param>
    public static MacAddress Read(ReadOnlySpan<byte> source)
    {
        ulong value = 0;
        foreach (byte part in source[..Size])
            value = (value << 8) | part;
        return new MacAddress(value);
    }

    /// <summary>Writes the address, first byte first.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        for (int i = 0; i < Size; i++)
            destination[i] = Part(i);
    }

    /// <summary>The address of the mirror's interface for an origin's: locally administered, unicast, always the same; <c>56:50:</c> and four bytes.</summary>
    /// <remarks>
    /// Origins whose first two bytes are equal get distinct ones; so do the steps of one origin. Others meet with a chance of 1 in 2^32.
    /// </remarks>
    /// <param name="step">Another address for the same origin, for when the one before is taken; below 65536.</param>
    public MacAddress ToMirror(int step = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(step, ushort.MaxValue);
        unchecked
        {
            // Each line can be undone, so two different numbers stay different.
            uint mixed = (uint)_value ^ ((uint)((_value >> 32) | ((ulong)step << 16)) * 0x9e3779b1);
            mixed = (mixed ^ (mixed >> 15)) * 0x2c9277b5;
            mixed = (mixed ^ (mixed >> 13)) * 0xac564b05;
            return new MacAddress(MirrorPrefix | (mixed ^ (mixed >> 16)));
        }
    }

    /// <summary>The usual text, such as <c>52:54:00:00:00:01</c>.</summary>
    public override string ToString() => $"{Part(0):x2}:{Part(1):x2}:{Part(2):x2}:{Part(3):x2}:{Part(4):x2}:{Part(5):x2}";

    private byte Part(int index) => unchecked((byte)(_value >> (8 * (Size - 1 - index))));
}
