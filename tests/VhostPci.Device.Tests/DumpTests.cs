// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Device.Wire;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

public sealed class DumpTests
{
    [Fact]
    public void Messages_of_both_directions_are_written_as_they_were_on_the_wire()
    {
        var file = new FakeFile();
        using var rig = new Rig(dump: file);
        using FrontEnd origin = rig.Connect();
        _ = origin.Ask(RequestCode.GetFeatures);
        origin.SendFile(RequestCode.SetVringCall, 1, origin.NewEvent());
        byte[] bytes = file.Bytes.ToArray();
        Assert.Equal(0xa1b2c3d4, BinaryPrimitives.ReadUInt32LittleEndian(bytes));
        Assert.Equal(MessageDump.LinkTypeUser0, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(20)));

        List<(byte Direction, int Files, int Pid, byte[] Message)> records = Records(bytes);
        Assert.Equal([(0, 0), (1, 0), (0, 1)], records.Select(record => ((int)record.Direction, record.Files)));
        Assert.All(records, record => Assert.Equal(Environment.ProcessId, record.Pid));
        Assert.Equal([1, 1, 13], records.Select(record => BinaryPrimitives.ReadInt32LittleEndian(record.Message)));
        Assert.Equal(VirtioNetFeatures.Offered, BinaryPrimitives.ReadUInt64LittleEndian(records[1].Message.AsSpan(MessageHeader.Size)));
        Assert.Equal(MessageHeader.Size + 8, records[2].Message.Length);
    }

    [Fact]
    public void It_ends_at_the_limit_with_one_line_and_the_server_goes_on()
    {
        var file = new FakeFile();
        var log = new LogList();
        using var dump = new MessageDump("srv", file, log, TimeProvider.System);
        byte[] payload = new byte[MessageHeader.MaxPayloadSize];
        for (int i = 0; i < (MessageDump.Limit / payload.Length) + 10; i++)
        {
            dump.Write(1, 2, fromOrigin: true, 0, new byte[MessageHeader.Size], payload);
        }

        Assert.InRange(file.Bytes.Count, MessageDump.Limit - payload.Length - 100, MessageDump.Limit);
        Assert.True(file.IsDisposed);
        Assert.Contains("the dump ends", Assert.Single(log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_disk_ends_the_dump_and_nothing_else()
    {
        var file = new FakeFile { Room = 60 };
        using var rig = new Rig(dump: file);
        using FrontEnd origin = rig.Connect();
        origin.Start();
        Assert.True(rig.Bridge.Last.Link);
        Assert.Contains("the disk", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        Assert.True(file.IsDisposed);
    }

    [Fact]
    public void The_end_of_the_server_closes_the_file()
    {
        var file = new FakeFile();
        var rig = new Rig(dump: file);
        Assert.False(file.IsDisposed);
        rig.Dispose();
        Assert.True(file.IsDisposed);
    }

    private static List<(byte Direction, int Files, int Pid, byte[] Message)> Records(ReadOnlySpan<byte> bytes)
    {
        var records = new List<(byte, int, int, byte[])>();
        for (int at = MessageDump.FileHeaderSize; at < bytes.Length;)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes[(at + 8)..]);
            ReadOnlySpan<byte> body = bytes.Slice(at + MessageDump.PacketHeaderSize, length);
            Assert.Equal(MessageDump.Version, body[0]);
            Assert.Equal(1UL, BinaryPrimitives.ReadUInt64LittleEndian(body[8..]));
            records.Add((
                body[1],
                BinaryPrimitives.ReadUInt16LittleEndian(body[2..]),
                BinaryPrimitives.ReadInt32LittleEndian(body[4..]),
                body[MessageDump.RecordHeaderSize..].ToArray()));
            at += MessageDump.PacketHeaderSize + length;
        }

        return records;
    }

    private sealed class FakeFile : IDumpFile
    {
        internal List<byte> Bytes { get; } = [];

        internal int Room { get; init; } = int.MaxValue;

        internal bool IsDisposed { get; private set; }

        public bool TryAppend(ReadOnlySpan<byte> bytes)
        {
            if (Bytes.Count + bytes.Length > Room)
            {
                return false;
            }

            Bytes.AddRange(bytes);
            return true;
        }

        public void Dispose() => IsDisposed = true;
    }
}
