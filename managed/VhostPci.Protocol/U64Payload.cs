// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>The payload that is one number: features, counts, status, MTU, and the answer to need_reply.</summary>
/// <param name="Value">The number.</param>
public readonly record struct U64Payload(ulong Value) : IPayload<U64Payload>
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 8;

    /// <summary>In the answer to need_reply: it worked.</summary>
    public const ulong Success = 0;

    /// <summary>In the answer to need_reply: it failed.</summary>
    public const ulong Failure = 1;

    static int IPayload<U64Payload>.Size => Size;

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<byte> payload, out U64Payload value)
    {
        bool read = TryParse(payload, out ulong number);
        value = new U64Payload(number);
        return read;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out U64Payload)"/>
    public static bool TryParse(ReadOnlySpan<byte> payload, out ulong value)
        => BinaryPrimitives.TryReadUInt64LittleEndian(payload, out value) && payload.Length == Size;

    /// <inheritdoc/>
    public void Write(Span<byte> destination) => Write(destination, Value);

    /// <summary>Writes the payload.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <param name="value">The number.</param>
    public static void Write(Span<byte> destination, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(destination, value);
}
