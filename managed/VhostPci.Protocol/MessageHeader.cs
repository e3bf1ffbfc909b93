// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>The 12 bytes before each payload.</summary>
/// <remarks>
/// All integers of the protocol are in the host's byte order; the product runs on x86-64, so everything here is little-endian.
/// See <c>docs/reference/protocol.md</c>, "Framing".
/// </remarks>
/// <param name="Request">Request number, as it came: perhaps none of <see cref="RequestCode"/>.</param>
/// <param name="Flags">Version, reply and need_reply.</param>
/// <param name="PayloadSize">Bytes that follow.</param>
public readonly record struct MessageHeader(RequestCode Request, MessageFlags Flags, uint PayloadSize)
{
    /// <summary>Bytes of a header on the wire.</summary>
    public const int Size = 12;

    /// <summary>The greatest payload in bytes that is accepted or sent.</summary>
    public const int MaxPayloadSize = 4096;

    /// <summary>The greatest number of descriptors that come with one message.</summary>
    public const int MaxDescriptors = 8;

    /// <summary>Whether the sender wants an answer in any case.</summary>
    public bool NeedsReply => (Flags & MessageFlags.NeedReply) != 0;

    /// <summary>Reads a header without judging its content.</summary>
    /// <param name="source">At least <see cref="Size"/> bytes.</param>
    public static MessageHeader Read(ReadOnlySpan<byte> source) => new(
        (RequestCode)BinaryPrimitives.ReadUInt32LittleEndian(source),
        (MessageFlags)BinaryPrimitives.ReadUInt32LittleEndian(source[4..]),
        BinaryPrimitives.ReadUInt32LittleEndian(source[8..]));

    /// <summary>Writes the header.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)Request);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], (uint)Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], PayloadSize);
    }
}
