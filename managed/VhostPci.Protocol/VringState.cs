// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>Payload of SET_VRING_NUM, SET_VRING_BASE, GET_VRING_BASE and its reply, and SET_VRING_ENABLE.</summary>
/// <param name="Index">Ring number, unchecked.</param>
/// <param name="Value">Entries, position, or 0 and 1, as the request says.</param>
public readonly record struct VringState(uint Index, uint Value) : IPayload<VringState>
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 8;

    static int IPayload<VringState>.Size => Size;

    /// <summary>Reads the payload.</summary>
    /// <returns>False when <paramref name="payload"/> is not exactly <see cref="Size"/> bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> payload, out VringState state)
    {
        bool fits = payload.Length == Size;
        state = fits ? new VringState(BinaryPrimitives.ReadUInt32LittleEndian(payload), BinaryPrimitives.ReadUInt32LittleEndian(payload[4..])) : default;
        return fits;
    }

    /// <summary>Writes the payload.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Index);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Value);
    }
}
