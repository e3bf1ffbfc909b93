// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Wire;

/// <summary>Takes whole messages off a channel, with the descriptors that belong to each.</summary>
internal sealed class MessageSource<TMessage>(IChannel channel, IMessageTable<TMessage> table) : IMessageFiles, IDisposable
    where TMessage : class
{
    private readonly MessageReader<TMessage> _reader = new(table);
    private readonly List<IPeerFile> _files = [];

    /// <summary>Whether a message has begun that is not whole yet.</summary>
    internal bool IsInMessage => !_reader.IsIdle && !_reader.IsComplete;

    internal MessageHeader Header => _reader.Header;

    /// <summary>The message that <see cref="Read"/> has found.</summary>
    internal TMessage Message => _reader.Message;

    internal ReadOnlySpan<byte> Payload => _reader.Payload;

    /// <summary>Descriptors that came with the message and have not been taken.</summary>
    internal int FileCount => _files.Count;

    /// <summary>Receives until a message is whole, nothing is there, or something is wrong.</summary>
    internal ReadStatus Read(out string reason)
    {
        reason = string.Empty;
        while (!_reader.IsComplete)
        {
            int before = _files.Count;
            switch (channel.Receive(_reader.Wanted, _files, out int count))
            {
                case ReceiveStatus.WouldBlock:
                    return ReadStatus.Pending;
                case ReceiveStatus.Closed:
                    return ReadStatus.Closed;
                case ReceiveStatus.Truncated:
                    reason = "descriptors were lost: too many with one message, or this process may open no more (ulimit -n)";
                    return ReadStatus.Invalid;
            }

            Verdict verdict = _reader.Advance(count, _files.Count - before);
            if (!verdict.IsOk)
            {
                reason = verdict.Reason;
                return ReadStatus.Invalid;
            }
        }

        return ReadStatus.Message;
    }

    public IPeerFile Take(int index)
    {
        IPeerFile file = _files[index];
        _files.RemoveAt(index);
        return file;
    }

    public IPeerFile Peek(int index) => _files[index];

    /// <summary>Makes room for the next message.</summary>
    internal void Next()
    {
        CloseFiles();
        _reader.Reset();
    }

    public void Dispose() => CloseFiles();

    private void CloseFiles()
    {
        _files.ForEach(static file => file.Dispose());
        _files.Clear();
    }
}
