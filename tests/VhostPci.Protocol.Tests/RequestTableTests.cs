// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol.Tests;

public sealed class RequestTableTests
{
    // Bytes that are different everywhere, and what each request makes of them.
    private static readonly byte[] Bytes = [.. Enumerable.Range(1, 255).Select(static n => (byte)n)];

    private static readonly MemoryRegion Region = new(0x100f0e0d0c0b0a09, 0x1817161514131211, 0x201f1e1d1c1b1a19, 0x2827262524232221);

    public static TheoryData<RequestCode, Request> Requests => new()
    {
        { RequestCode.GetFeatures, new GetFeatures() },
        { RequestCode.SetFeatures, new SetFeatures(0x0807060504030201) },
        { RequestCode.SetOwner, new SetOwner() },
        { RequestCode.ResetOwner, new ResetRings() },
        { RequestCode.SetVringNum, new SetVringNum(0x04030201, 0x08070605) },
        { RequestCode.SetVringAddress, new SetVringAddress(new VringAddress(0x04030201, 0x08070605, 0x100f0e0d0c0b0a09, 0x1817161514131211, 0x201f1e1d1c1b1a19, 0x2827262524232221)) },
        { RequestCode.SetVringBase, new SetVringBase(0x04030201, 0x08070605) },
        { RequestCode.GetVringBase, new GetVringBase(0x04030201) },
        { RequestCode.GetProtocolFeatures, new GetProtocolFeatures() },
        { RequestCode.SetProtocolFeatures, new SetProtocolFeatures(0x0807060504030201) },
        { RequestCode.GetQueueNum, new GetQueueNum() },
        { RequestCode.SetVringEnable, new SetVringEnable(0x04030201, 0x08070605) },
        { RequestCode.SendRarp, new SendRarp(new RarpPayload(Samples.Mac(1, 2, 3, 4, 5, 6))) },
        { RequestCode.NetSetMtu, new SetMtu(0x0807060504030201) },
        { RequestCode.ResetDevice, new ResetRings() },
        { RequestCode.GetMaxMemorySlots, new GetMaxMemorySlots() },
        { RequestCode.AddMemoryRegion, new AddMemoryRegion(Region) },
        { RequestCode.RemoveMemoryRegion, new RemoveMemoryRegion(Region) },
        { RequestCode.SetStatus, new SetStatus(0x0807060504030201) },
        { RequestCode.GetStatus, new GetStatus() },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public void BytesBecomeTheRequestThatTheyAre(RequestCode code, Request request)
    {
        Assert.True(NetRequests.Table.TryGet(code, out RequestRow? row));
        var header = new MessageHeader(code, MessageFlags.Version1, (uint)row.MinPayload);
        Assert.True(NetRequests.Table.Parse(header, Bytes.AsSpan(0, row.MinPayload), row.MinDescriptors, out Request? made).IsOk);
        Assert.Equal(request, made);
    }

    [Theory]
    [InlineData(RequestCode.SetVringKick, typeof(SetVringKick))]
    [InlineData(RequestCode.SetVringCall, typeof(SetVringCall))]
    [InlineData(RequestCode.SetVringError, typeof(SetVringError))]
    [InlineData(RequestCode.SetMemoryTable, typeof(SetMemoryTable))]
    [InlineData(RequestCode.SetDeviceInfo, typeof(SetDeviceInfo))]
    [InlineData(RequestCode.SetDriverState, typeof(SetDriverState))]
    public void MessagesWithARuleOfTheirOwnBecomeRequests(RequestCode code, Type request)
    {
        byte[] message = Samples.Valid(code, out int descriptors);
        var reader = new MessageReader<Request>(NetRequests.Table);
        Assert.Throws<InvalidOperationException>(() => reader.Message);
        Assert.True(Samples.Feed(reader, message, descriptors, 4096, out _).IsOk);
        Assert.IsType(request, reader.Message);
    }

    [Fact]
    public void EveryRequestHasARow()
        => Assert.All(Enum.GetValues<RequestCode>(), static code => Assert.Equal(code != RequestCode.None, NetRequests.Table.TryGet(code, out _)));

    [Fact]
    public void AnswersBecomeWhatTheyAnswer()
    {
        Assert.Equal(new NumberReply(RequestCode.GetQueueNum, 0x0807060504030201), Answer(RequestCode.GetQueueNum, MessageFlags.Reply, 8));
        Assert.Equal(new RingReply(new VringState(0x04030201, 0x08070605)), Answer(RequestCode.GetVringBase, MessageFlags.Reply, 8));
        Assert.Equal(new UnknownReply(RequestCode.GetVringBase), Answer(RequestCode.GetVringBase, MessageFlags.Reply, 9));
        Assert.Equal(new UnknownReply(RequestCode.GetFeatures), Answer(RequestCode.GetFeatures, MessageFlags.Reply, 0));
        Assert.Equal(new UnknownReply(RequestCode.SetFeatures), Answer(RequestCode.SetFeatures, MessageFlags.Reply, 8));
        Assert.Equal(new SetLink(true), Answer((RequestCode)BackEndRequest.SetLink, MessageFlags.None, 8));
        Assert.Equal(new AcceptFeatures(0x0807060504030201), Answer((RequestCode)BackEndRequest.AcceptFeatures, MessageFlags.None, 8));
    }

    private static BackEndMessage Answer(RequestCode code, MessageFlags flags, int size)
    {
        byte[] message = MessageWriter.Write(new byte[64], code, flags, Bytes.AsSpan(0, size)).ToArray();
        var reader = new MessageReader<BackEndMessage>(BackEndTable.Instance);
        Assert.True(Samples.Feed(reader, message, 0, 4096, out _).IsOk);
        return reader.Message;
    }
}
