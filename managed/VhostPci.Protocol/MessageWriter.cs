// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Writes whole messages.</summary>
public static class MessageWriter
{
    /// <summary>Bytes of the greatest message that the product sends: a full memory table.</summary>
    public const int MaxSize = MessageHeader.Size + MemoryPayload.TableHeaderSize + MemoryPayload.MaxRegions * MemoryRegion.Size;

    /// <summary>Writes a header and a payload.</summary>
    /// <param name="destination">At least <see cref="MessageHeader.Size"/> bytes more than the payload.</param>
    /// <param name="request">Request number.</param>
    /// <param name="flags">Flags; the version is added.</param>
    /// <param name="payload">At most <see cref="MessageHeader.MaxPayloadSize"/> bytes.</param>
    /// <returns>The part of <paramref name="destination"/> that holds the message.</returns>
    public static ReadOnlySpan<byte> Write(
        Span<byte> destination, RequestCode request, MessageFlags flags, scoped ReadOnlySpan<byte> payload)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, MessageHeader.MaxPayloadSize);
        new MessageHeader(request, flags | MessageFlags.Version1, (uint)payload.Length).Write(destination);
        payload.CopyTo(destination[MessageHeader.Size..]);
        return destination[..(MessageHeader.Size + payload.Length)];
    }

    /// <summary>Writes a message whose payload is one number.</summary>
    /// <inheritdoc cref="Write(Span{byte}, RequestCode, MessageFlags, ReadOnlySpan{byte})"/>
    public static ReadOnlySpan<byte> Write(Span<byte> destination, RequestCode request, MessageFlags flags, ulong value)
    {
        Span<byte> payload = stackalloc byte[U64Payload.Size];
        new U64Payload(value).Write(payload);
        return Write(destination, request, flags, payload);
    }

    /// <summary>Writes a message whose payload is a ring's number and a value.</summary>
    /// <inheritdoc cref="Write(Span{byte}, RequestCode, MessageFlags, ReadOnlySpan{byte})"/>
    public static ReadOnlySpan<byte> Write(Span<byte> destination, RequestCode request, MessageFlags flags, VringState state)
    {
        Span<byte> payload = stackalloc byte[VringState.Size];
        state.Write(payload);
        return Write(destination, request, flags, payload);
    }
}
