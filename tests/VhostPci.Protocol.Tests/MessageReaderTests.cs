// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol.Tests;

public sealed class MessageReaderTests
{
    public static TheoryData<RequestCode> Requests => [.. Enum.GetValues<RequestCode>().Where(static c => c != RequestCode.None)];

    [Theory]
    [MemberData(nameof(Requests))]
    public void ValidMessageIsReadWholeByteByByteAndAtOnce(RequestCode request)
    {
        byte[] message = Samples.Valid(request, out int descriptors);
        foreach (int step in (int[])[1, 3, 12, 4096])
        {
            var reader = new MessageReader<Request>(NetRequests.Table);
            Verdict verdict = Samples.Feed(reader, message, descriptors, step, out int taken);

            Assert.True(verdict.IsOk, verdict.ToString());
            Assert.Equal(message.Length, taken);
            Assert.True(reader.IsComplete);
            Assert.Equal(request, reader.Header.Request);
            Assert.Equal(descriptors, reader.Descriptors);
            Assert.Equal(message[MessageHeader.Size..], reader.Payload);
            Assert.True(reader.Wanted.IsEmpty);
        }
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public void EveryTruncationIsIncompleteAndNotIdle(RequestCode request)
    {
        byte[] message = Samples.Valid(request, out int descriptors);
        for (int length = 0; length < message.Length; length++)
        {
            var reader = new MessageReader<Request>(NetRequests.Table);
            Assert.True(Samples.Feed(reader, message[..length], descriptors, 4096, out _).IsOk);
            Assert.False(reader.IsComplete);
            Assert.Equal(length == 0, reader.IsIdle);
            Assert.True(reader.Payload.IsEmpty);
        }
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public void EveryOtherPayloadSizeIsRefusedBeforeThePayload(RequestCode request)
    {
        byte[] message = Samples.Valid(request, out int descriptors);
        uint right = (uint)message.Length - MessageHeader.Size;
        foreach (uint size in Enumerable.Range(0, 4200).Select(static n => (uint)n).Concat(new uint[] { uint.MaxValue, 0x80000000, 0x10000, uint.MaxValue - 11 }))
        {
            if (size == right)
                continue;
            BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(8), size);
            var reader = new MessageReader<Request>(NetRequests.Table);
            Verdict verdict = Samples.Feed(reader, message[..MessageHeader.Size], descriptors, 4096, out _);
            Assert.False(verdict.IsOk, $"{request} with {size} bytes");
            Assert.True(reader.Wanted.IsEmpty);
        }
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public void EveryOtherNumberOfDescriptorsIsRefused(RequestCode request)
    {
        byte[] message = Samples.Valid(request, out int descriptors);
        for (int number = 0; number <= 10; number++)
        {
            bool isRight = number == descriptors || (request == RequestCode.RemoveMemoryRegion && number <= 1);
            Verdict verdict = Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, number, 4096, out _);
            Assert.Equal((request, number, isRight), (request, number, verdict.IsOk));
        }
    }

    [Fact]
    public void DescriptorsAfterTheFirstByteAreRefused()
    {
        byte[] message = Samples.Valid(RequestCode.SetVringKick, out _);
        for (int first = 1; first < message.Length; first++)
        {
            if (first == MessageHeader.Size)
                continue;
            var reader = new MessageReader<Request>(NetRequests.Table);
            int head = Math.Min(first, MessageHeader.Size);
            message.AsSpan(0, head).CopyTo(reader.Wanted);
            Verdict verdict = reader.Advance(head, 0);
            if (first > head)
            {
                message.AsSpan(head, first - head).CopyTo(reader.Wanted);
                verdict = reader.Advance(first - head, 0);
            }

            Assert.True(verdict.IsOk);
            message.AsSpan(first, 1).CopyTo(reader.Wanted);
            Assert.False(reader.Advance(1, 1).IsOk);
        }
    }

    [Theory]
    [InlineData(0u, "version 0")]
    [InlineData(2u, "version 2")]
    [InlineData(3u, "version 3")]
    [InlineData(5u, "a reply")]
    [InlineData(0x11u, "flags")]
    [InlineData(0x80000001u, "flags")]
    public void WrongFlagsAreRefused(uint flags, string reason)
    {
        byte[] message = Samples.Valid(RequestCode.GetFeatures, out _);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(4), flags);

        Verdict verdict = Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, 0, 4096, out _);

        Assert.Contains(reason, verdict.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownRequestsAreRefused()
    {
        byte[] message = Samples.Valid(RequestCode.GetFeatures, out _);
        foreach (uint number in Enumerable.Range(0, 300).Select(static n => (uint)n).Concat(new uint[] { 0x56500000, 0x56500002, uint.MaxValue }))
        {
            if (Enum.IsDefined((RequestCode)number) && number != 0)
                continue;
            BinaryPrimitives.WriteUInt32LittleEndian(message, number);
            Assert.False(Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, 0, 4096, out _).IsOk);
        }
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(3u)]
    [InlineData(9u)]
    [InlineData(uint.MaxValue)]
    public void TableWhoseCountDoesNotFitIsRefused(uint count)
    {
        byte[] message = Samples.Valid(RequestCode.SetMemoryTable, out int descriptors);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(MessageHeader.Size), count);

        Assert.False(Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, descriptors, 4096, out _).IsOk);
    }

    [Fact]
    public void KickWithoutDescriptorIsAccepted()
    {
        foreach (RequestCode request in (RequestCode[])[RequestCode.SetVringKick, RequestCode.SetVringCall, RequestCode.SetVringError])
        {
            byte[] message = Samples.Valid(request, out _);
            message[MessageHeader.Size + 1] = 1;
            Assert.True(Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, 0, 4096, out _).IsOk);
            Assert.False(Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, 1, 4096, out _).IsOk);
            message[MessageHeader.Size + 1] = 2;
            Assert.False(Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, 1, 4096, out _).IsOk);
        }
    }

    [Fact]
    public void NextMessageStartsAfterReset()
    {
        var reader = new MessageReader<Request>(NetRequests.Table);
        foreach (RequestCode request in Enum.GetValues<RequestCode>().Where(static c => c != RequestCode.None))
        {
            byte[] message = Samples.Valid(request, out int descriptors);
            Assert.True(Samples.Feed(reader, message, descriptors, 4096, out _).IsOk);
            Assert.Equal(request, reader.Header.Request);
            reader.Reset();
            Assert.True(reader.IsIdle);
            Assert.Equal(0, reader.Descriptors);
        }
    }

    [Fact]
    public void RefusedStreamCannotGoOn()
    {
        var reader = new MessageReader<Request>(NetRequests.Table);
        Assert.False(Samples.Feed(reader, new byte[12], 0, 4096, out _).IsOk);

        Assert.Throws<InvalidOperationException>(reader.Reset);
        Assert.Throws<InvalidOperationException>(() => reader.Advance(1, 0));
    }

    [Fact]
    public void MisuseIsTold()
    {
        var reader = new MessageReader<Request>(NetRequests.Table);
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Advance(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Advance(13, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Advance(1, -1));
    }

    [Fact]
    public void RepliesAreReadByTheClient()
    {
        byte[] buffer = new byte[64];
        byte[] reply = MessageWriter.Write(buffer, RequestCode.GetFeatures, MessageFlags.Reply, 0x1234UL).ToArray();
        var reader = new MessageReader<BackEndMessage>(BackEndTable.Instance);

        Assert.True(Samples.Feed(reader, reply, 0, 4096, out _).IsOk);
        Assert.True(U64Payload.TryParse(reader.Payload, out U64Payload value));
        Assert.Equal(0x1234UL, value.Value);

        Assert.False(Samples.Feed(new MessageReader<BackEndMessage>(BackEndTable.Instance), reply, 1, 4096, out _).IsOk);
        byte[] request = Samples.Valid(RequestCode.GetFeatures, out _);
        Assert.False(Samples.Feed(new MessageReader<BackEndMessage>(BackEndTable.Instance), request, 0, 4096, out _).IsOk);
        BinaryPrimitives.WriteUInt32LittleEndian(reply.AsSpan(8), MessageHeader.MaxPayloadSize + 1);
        Assert.False(Samples.Feed(new MessageReader<BackEndMessage>(BackEndTable.Instance), reply, 0, 4096, out _).IsOk);
    }

    [Fact]
    public void OnlyTheRequestIsAllocated()
    {
        Assert.Equal(0, Allocated(RequestCode.GetFeatures, 1));
        Assert.InRange(Allocated(RequestCode.SetMemoryTable, 4096), 1, 200);
        Assert.Equal(Allocated(RequestCode.SetMemoryTable, 4096), Allocated(RequestCode.SetMemoryTable, 1));

        static long Allocated(RequestCode request, int step)
        {
            byte[] message = Samples.Valid(request, out int descriptors);
            var reader = new MessageReader<Request>(NetRequests.Table);
            Assert.True(Samples.Feed(reader, message, descriptors, step, out _).IsOk);
            reader.Reset();

            long before = GC.GetAllocatedBytesForCurrentThread();
            _ = Samples.Feed(reader, message, descriptors, step, out _);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }
}
