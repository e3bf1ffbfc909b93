// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>An Ethernet address; <c>default</c> is all zeroes: not known.</summary>
public readonly record struct MacAddress
{
    /// <summary>Bytes of an address.</summary>
    public const int Size = 6;

    private const ulong MulticastBit = 1UL << 40;
    private const ulong LocalBit = 1UL << 41;
    private const ulong MirrorBit = 0x80;

    private readonly ulong _value;

    private MacAddress(ulong value) => _value = value;

    /// <summary>Whether the address is not known.</summary>
    public bool IsZero => _value == 0;

    /// <summary>Whether it names a group, which no interface can have as its own.</summary>
    public bool IsMulticast => (_value & MulticastBit) != 0;

    /// <summary>Whether it is locally administered.</summary>
    public bool IsLocal => (_value & LocalBit) != 0;

    /// <summary>Reads an address, first byte first.</summary>
    /// <returns>False when <paramref name="source"/> is shorter than <see cref="Size"/>.</returns>
    public static bool TryParse(ReadOnlySpan<byte> source, out MacAddress address)
    {
        address = default;
        if (source.Length < Size)
            return false;

        ulong value = 0;
        foreach (byte part in source[..Size])
            value = (value << 8) | part;
        address = new MacAddress(value);
        return true;
    }

    /// <summary>Writes the address, first byte first.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        for (int i = 0; i < Size; i++)
            destination[i] = Part(i);
    }

    /// <summary>The address of the mirror's interface for an origin's: locally administered, unicast, always the same, never equal.</summary>
    /// <remarks>It differs in the top bit of the last byte, so consecutive origins get distinct ones up to 128 apart.</remarks>
    public MacAddress ToMirror() => new((_value & ~MulticastBit | LocalBit) ^ MirrorBit);

    /// <summary>The usual text, such as <c>52:54:00:00:00:01</c>.</summary>
    public override string ToString() => $"{Part(0):x2}:{Part(1):x2}:{Part(2):x2}:{Part(3):x2}:{Part(4):x2}:{Part(5):x2}";

    private byte Part(int index) => unchecked((byte)(_value >> (8 * (Size - 1 - index))));
}
