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
        bool fits = payload.Length == Size;
        value = fits ? new U64Payload(BinaryPrimitives.ReadUInt64LittleEndian(payload)) : default;
        return fits;
    }

    /// <inheritdoc/>
    public void Write(Span<byte> destination) => BinaryPrimitives.WriteUInt64LittleEndian(destination, Value);
}
