// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Takes whole messages off a channel, with the descriptors that belong to each.</summary>
internal sealed class MessageSource(IChannel channel, MessageKind kind) : IDisposable
{
    private readonly MessageReader _reader = new(kind);
    private readonly List<IPeerFile> _files = [];

    /// <summary>Whether a message has begun that is not whole yet.</summary>
    internal bool IsInMessage => !_reader.IsIdle && !_reader.IsComplete;

    internal MessageHeader Header => _reader.Header;

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

    /// <summary>Hands the descriptor at <paramref name="index"/> over to the caller; the others are closed with the message.</summary>
    internal IPeerFile Take(int index)
    {
        IPeerFile file = _files[index];
        _files.RemoveAt(index);
        return file;
    }

    /// <summary>The descriptor at <paramref name="index"/>, for a look.</summary>
    internal IPeerFile Peek(int index) => _files[index];

    /// <summary>Makes room for the next message.</summary>
    internal void Next()
    {
        CloseFiles();
        _reader.Reset();
    }

    public void Dispose() => CloseFiles();

    private void CloseFiles()
    {
        foreach (IPeerFile file in _files)
        {
            file.Dispose();
        }

        _files.Clear();
    }
}
