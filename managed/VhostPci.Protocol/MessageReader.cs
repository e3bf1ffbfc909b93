// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Puts one message at a time together from what a stream socket delivers, and judges its form.</summary>
/// <remarks>
/// <para>
/// It asks for exactly the bytes of the header, then exactly those of the payload, so what is received never reaches into the next
/// message, and descriptors are always those of the current one. The only memory is a buffer of fixed size: a peer's numbers
/// allocate nothing.
/// </para>
/// <para>Use: receive into <see cref="Wanted"/>, call <see cref="Advance"/>; when <see cref="IsComplete"/>, act and <see cref="Reset"/>.</para>
/// </remarks>
/// <typeparam name="TMessage">What a message becomes.</typeparam>
/// <param name="table">What to expect, and how to read it.</param>
public sealed class MessageReader<TMessage>(IMessageTable<TMessage> table)
    where TMessage : class
{
    private readonly byte[] _buffer = new byte[MessageHeader.Size + MessageHeader.MaxPayloadSize];
    private int _filled;
    private int _goal = MessageHeader.Size;
    private bool _refused;
    private TMessage? _message;

    /// <summary>Whether a whole message is there.</summary>
    public bool IsComplete => _message is not null;

    /// <summary>The message, when <see cref="IsComplete"/>.</summary>
    /// <exception cref="InvalidOperationException">The caller's mistake: there is none.</exception>
    public TMessage Message => _message ?? throw new InvalidOperationException("the message is not complete");

    /// <summary>Whether not even a byte of a message is there: the only moment at which a peer may leave politely.</summary>
    public bool IsIdle => _filled == 0;

    /// <summary>The header, when <see cref="IsComplete"/>.</summary>
    public MessageHeader Header { get; private set; }

    /// <summary>Descriptors that came with the message so far; the caller holds them in the order of arrival.</summary>
    public int Descriptors { get; private set; }

    /// <summary>The payload, when <see cref="IsComplete"/>; valid until <see cref="Reset"/>.</summary>
    public ReadOnlySpan<byte> Payload => IsComplete ? _buffer.AsSpan(MessageHeader.Size, _goal - MessageHeader.Size) : default;

    /// <summary>Where the next bytes go; never empty before the message is complete, empty afterwards.</summary>
    public Span<byte> Wanted => IsComplete || _refused ? default : _buffer.AsSpan(_filled, _goal - _filled);

    /// <summary>Takes note of what has been received.</summary>
    /// <param name="count">Bytes put into <see cref="Wanted"/>, at least 1.</param>
    /// <param name="descriptors">Descriptors that came along.</param>
    /// <returns>Whether all is well so far. After a refusal the connection must go and the reader is of no more use.</returns>
    /// <exception cref="InvalidOperationException">The caller's mistake: a complete or refused message has not been reset.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The caller's mistake: the numbers cannot be.</exception>
    public Verdict Advance(int count, int descriptors)
    {
        if (IsComplete || _refused)
            throw new InvalidOperationException("the last message has not been dealt with");
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _goal - _filled);
        ArgumentOutOfRangeException.ThrowIfNegative(descriptors);

        Verdict verdict = Take(count, descriptors);
        _refused = !verdict.IsOk;
        return verdict;
    }

    /// <summary>Makes room for the next message.</summary>
    /// <exception cref="InvalidOperationException">The message had been refused: what follows in the stream has no meaning.</exception>
    public void Reset()
    {
        if (_refused)
            throw new InvalidOperationException("a refused stream cannot go on");
        _filled = 0;
        _goal = MessageHeader.Size;
        _message = null;
        Header = default;
        Descriptors = 0;
    }

    private Verdict Take(int count, int descriptors)
    {
        if (descriptors != 0 && _filled != 0)
            return Verdict.Refuse($"{descriptors} descriptors after the first byte of a message");
        if (descriptors > MessageHeader.MaxDescriptors)
            return Verdict.Refuse($"{descriptors} descriptors with one message");

        bool inHeader = _filled < MessageHeader.Size;
        Descriptors += descriptors;
        _filled += count;
        if (_filled < _goal)
            return Verdict.Ok;

        if (inHeader)
        {
            Verdict verdict = TakeHeader();
            if (!verdict.IsOk || _filled < _goal)
                return verdict;
        }

        return table.Parse(Header, _buffer.AsSpan(MessageHeader.Size, _goal - MessageHeader.Size), Descriptors, out _message);
    }

    private Verdict TakeHeader()
    {
        Header = MessageHeader.Read(_buffer);
        Verdict verdict = CheckHeader(Header);
        if (verdict.IsOk)
            _goal = MessageHeader.Size + (int)Header.PayloadSize;
        return verdict;
    }

    private Verdict CheckHeader(MessageHeader header)
    {
        const MessageFlags known = MessageFlags.VersionMask | MessageFlags.Reply | MessageFlags.NeedReply;

        if ((header.Flags & MessageFlags.VersionMask) != MessageFlags.Version1)
            return Verdict.Refuse($"protocol version {(uint)(header.Flags & MessageFlags.VersionMask)}");
        if ((header.Flags & ~known) != 0)
            return Verdict.Refuse($"unknown flags 0x{(uint)header.Flags:x}");
        if (header.PayloadSize > MessageHeader.MaxPayloadSize)
            return Verdict.Refuse($"{header.PayloadSize} bytes of payload");

        return table.CheckHeader(header, Descriptors);
    }
}
