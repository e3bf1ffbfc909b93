// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Wire;

/// <summary>Writes the control messages of a server into a pcap file that Wireshark reads with <c>tools/wireshark/vhost_pci.lua</c>.</summary>
/// <remarks>Each record is a header of <see cref="RecordHeaderSize"/> bytes and then the message as it was on the wire. A peer cannot fill the disk: it ends at a limit.</remarks>
internal sealed class MessageDump : IDisposable
{
    /// <summary>No more bytes than this.</summary>
    internal const int Limit = 16 << 20;

    internal const int FileHeaderSize = 24;
    internal const int PacketHeaderSize = 16;

    /// <summary>u8 version, u8 direction, u16 descriptors, u32 pid, u64 connection, in host order.</summary>
    internal const int RecordHeaderSize = 16;

    internal const byte Version = 1;
    internal const uint LinkTypeUser0 = 147;
    private const uint Magic = 0xa1b2c3d4;
    private const int Largest = PacketHeaderSize + RecordHeaderSize + MessageHeader.Size + MessageHeader.MaxPayloadSize;

    private readonly string _id;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly byte[] _buffer = new byte[Largest];
    private IDumpFile? _file;
    private int _written;

    internal MessageDump(string id, IDumpFile file, ILogger logger, TimeProvider time)
    {
        _id = id;
        _file = file;
        _logger = logger;
        _time = time;
        Span<byte> header = stackalloc byte[FileHeaderSize];
        header.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], 4);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Largest - PacketHeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], LinkTypeUser0);
        Append(header);
    }

    /// <summary>Adds a message.</summary>
    internal void Write(ulong connection, int pid, bool fromOrigin, int descriptors, ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload)
    {
        if (_file is null)
        {
            return;
        }

        int length = RecordHeaderSize + header.Length + payload.Length;
        Span<byte> record = _buffer.AsSpan(0, PacketHeaderSize + length);
        long microseconds = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        BinaryPrimitives.WriteUInt32LittleEndian(record, (uint)(microseconds / 1_000_000));
        BinaryPrimitives.WriteUInt32LittleEndian(record[4..], (uint)(microseconds % 1_000_000));
        BinaryPrimitives.WriteUInt32LittleEndian(record[8..], (uint)length);
        BinaryPrimitives.WriteUInt32LittleEndian(record[12..], (uint)length);
        Span<byte> body = record[PacketHeaderSize..];
        body[0] = Version;
        body[1] = fromOrigin ? (byte)0 : (byte)1;
        BinaryPrimitives.WriteUInt16LittleEndian(body[2..], (ushort)descriptors);
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], pid);
        BinaryPrimitives.WriteUInt64LittleEndian(body[8..], connection);
        header.CopyTo(body[RecordHeaderSize..]);
        payload.CopyTo(body[(RecordHeaderSize + header.Length)..]);
        Append(record);
    }

    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_written + bytes.Length <= Limit && _file!.TryAppend(bytes))
        {
            _written += bytes.Length;
            return;
        }

        DumpLog.Ended(_logger, _id, _written);
        Dispose();
    }
}
