// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>From bytes to messages.</summary>
internal sealed partial class OriginModel
{
    private const int HeaderSize = 12;
    private const uint ReplyFlag = 4;
    private const uint NeedReplyFlag = 8;

    private readonly List<byte> _bytes = [];
    private readonly List<FileKind> _files = [];

    /// <summary>Messages that have come as a whole.</summary>
    internal int Messages { get; private set; }

    /// <summary>Whether the server waits for the rest of a message.</summary>
    internal bool IsInMessage => _bytes.Count != 0;

    /// <summary>Payload sizes and descriptors of a request, as the table in protocol.md has them; null for one that is not taken.</summary>
    internal static (int Payload, int LeastFiles, int MostFiles)? Syntax(RequestCode request, int payload) => request switch
    {
        RequestCode.GetFeatures or RequestCode.SetOwner or RequestCode.ResetOwner or RequestCode.GetProtocolFeatures or RequestCode.GetQueueNum
            or RequestCode.ResetDevice or RequestCode.GetMaxMemorySlots or RequestCode.GetStatus => (0, 0, 0),
        RequestCode.SetFeatures or RequestCode.SetVringNum or RequestCode.SetVringBase or RequestCode.GetVringBase or RequestCode.SetProtocolFeatures
            or RequestCode.SetVringEnable or RequestCode.SendRarp or RequestCode.NetSetMtu or RequestCode.SetStatus => (8, 0, 0),
        RequestCode.SetVringAddress => (40, 0, 0),
        RequestCode.SetVringKick or RequestCode.SetVringCall or RequestCode.SetVringError => (8, 0, 1),
        RequestCode.AddMemoryRegion => (40, 1, 1),
        RequestCode.RemoveMemoryRegion => (40, 0, 1),
        RequestCode.SetDeviceInfo => (104, 0, 0),
        RequestCode.SetDriverState => (16, 0, 0),
        RequestCode.SetMemoryTable when payload is >= 40 and <= 8 + (8 * 32) && payload % 32 == 8 => (payload, payload / 32, payload / 32),
        _ => null,
    };

    /// <summary>What the server makes of bytes that were sent at once.</summary>
    internal void Take(ReadOnlySpan<byte> bytes, IReadOnlyList<FileKind> files)
    {
        if (IsClosed || bytes.IsEmpty)
        {
            return;
        }

        if (files.Count > 8 || (files.Count != 0 && IsInMessage))
        {
            Close();
            return;
        }

        _files.AddRange(files);
        foreach (byte part in bytes)
        {
            _bytes.Add(part);
            if (_bytes.Count == HeaderSize && !IsHeaderSound())
            {
                Close();
            }
            else if (_bytes.Count >= HeaderSize && _bytes.Count == HeaderSize + Number(8))
            {
                TakeMessage();
            }

            if (IsClosed)
            {
                return;
            }
        }
    }

    private int Number(int at) => (int)BinaryPrimitives.ReadUInt32LittleEndian([.. _bytes[at..(at + 4)]]);

    private bool IsHeaderSound()
    {
        uint flags = (uint)Number(4);
        return (flags & ~NeedReplyFlag) == 1
            && Syntax((RequestCode)Number(0), Number(8)) is { } syntax
            && syntax.Payload == Number(8)
            && _files.Count >= syntax.LeastFiles
            && _files.Count <= syntax.MostFiles;
    }

    private bool IsPayloadSound(RequestCode request, ReadOnlySpan<byte> payload) => request switch
    {
        RequestCode.SetMemoryTable => BinaryPrimitives.ReadUInt32LittleEndian(payload) == _files.Count,
        RequestCode.SetVringKick or RequestCode.SetVringCall or RequestCode.SetVringError
            => BinaryPrimitives.ReadUInt64LittleEndian(payload) < 512 && payload[1] == (_files.Count == 0 ? 1 : 0),
        _ => true,
    };

    private void TakeMessage()
    {
        byte[] message = [.. _bytes];
        _bytes.Clear();
        Messages++;
        var request = (RequestCode)BinaryPrimitives.ReadUInt32LittleEndian(message);
        bool needsReply = (message[4] & NeedReplyFlag) != 0;
        byte[] payload = message[HeaderSize..];
        if (!IsPayloadSound(request, payload))
        {
            Close();
            return;
        }

        byte[]? reply = null;
        _busy = true;
        bool done = Act(request, payload, ref reply) && Update() && !_failed;
        _busy = false;
        _files.Clear();
        if (!done)
        {
            reply = null;
        }

        if (reply is null && needsReply && (_protocolFeatures & ProtocolFeatures.ReplyAck) != 0)
        {
            _ = Answer(done ? 0UL : 1UL, out reply);
        }

        bool sent = reply is null || Reply(request, reply);
        if (!done || !sent)
        {
            Close();
        }
    }

    private bool Reply(RequestCode request, byte[] payload)
    {
        mirror.Replies++;
        return Say(request, ReplyFlag, payload);
    }

    private bool Say(RequestCode request, uint flags, byte[] payload)
    {
        if (replyRoom >= 0 && Replies.Count + HeaderSize + payload.Length > replyRoom)
        {
            return false;
        }

        byte[] header = new byte[HeaderSize];
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)request);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), 1 | flags);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), (uint)payload.Length);
        Replies.AddRange(header);
        Replies.AddRange(payload);
        return true;
    }
}
