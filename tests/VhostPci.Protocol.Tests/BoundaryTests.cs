// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol.Tests;

/// <summary>The last value that is right and the first that is wrong: what a mutation of the validators would change.</summary>
public sealed class BoundaryTests
{
    private const ulong Top = ulong.MaxValue;

    [Theory]
    [InlineData(Top - 0x1000, 0UL, 0UL)]
    [InlineData(0UL, Top - 0x1000, 0UL)]
    [InlineData(0UL, 0UL, Top - 0x1000)]
    public void A_region_may_end_at_the_last_address(ulong guest, ulong user, ulong offset)
    {
        Assert.True(MemoryTable.CheckRegion(new MemoryRegion(guest, 0x1000, user, offset)).IsOk);
        Assert.False(MemoryTable.CheckRegion(new MemoryRegion(guest, 0x1001, user, offset)).IsOk);
    }

    [Theory]
    [InlineData(Top - 0x1000, 0UL)]
    [InlineData(0UL, Top - 0x1000)]
    public void A_section_may_end_at_the_last_address(ulong guest, ulong offset)
    {
        Assert.True(MemorySection.Coalesce([new MemorySection(guest, 0x1000, offset, 3)], out int count).IsOk);
        Assert.Equal(1, count);
        Assert.False(MemorySection.Coalesce([new MemorySection(guest, 0x1001, offset, 3)], out _).IsOk);
    }

    [Fact]
    public void Refusals_of_a_backing_tell_where_the_region_ends()
    {
        var region = new MemoryRegion(0x4000, 0x2000, 0, 0x1000);
        Assert.Contains("ends at byte 12288 of a file of 8192", MemoryTable.CheckBacking(region, 0x2000, 4096, Top).Reason, StringComparison.Ordinal);
        Assert.Contains("guest address 0x6000, past the window of 0x5000", MemoryTable.CheckBacking(region, 0x3000, 4096, 0x5000).Reason, StringComparison.Ordinal);
        Assert.True(MemoryTable.CheckBacking(region, 0x3000, 4096, 0x6000).IsOk);
    }

    [Fact]
    public void The_first_of_several_regions_can_be_removed_and_the_others_move_up()
    {
        MemoryRegion[] regions = [.. Enumerable.Range(1, 4).Select(static n => new MemoryRegion((ulong)n << 20, 0x1000, (ulong)n << 30, 0))];
        var table = new MemoryTable();
        Assert.All(regions, region => Assert.True(table.Add(region).IsOk));

        Assert.True(table.Remove(regions[0]).IsOk);
        Assert.Equal(regions[1..], table.Regions.ToArray());
        Assert.True(table.Remove(regions[2]).IsOk);
        Assert.Equal([regions[1], regions[3]], table.Regions.ToArray());
        Assert.True(table.Remove(regions[3]).IsOk);
        Assert.Equal(-1, table.Find(regions[3]));
        Assert.False(table.Remove(regions[3]).IsOk);
        Assert.True(table.Remove(regions[1]).IsOk);
        Assert.Equal(0, table.Count);
        Assert.Equal(-1, table.Find(regions[1]));
    }

    [Fact]
    public void A_full_table_can_lose_any_region()
    {
        for (int gone = 0; gone < MemoryPayload.MaxRegions; gone++)
        {
            List<MemoryRegion> regions = [.. Enumerable.Range(0, 8).Select(static n => new MemoryRegion((ulong)n << 20, 0x1000, (ulong)n << 30, 0))];
            var table = new MemoryTable();
            regions.ForEach(region => Assert.True(table.Add(region).IsOk));
            Assert.True(table.Remove(regions[gone]).IsOk);
            regions.RemoveAt(gone);
            Assert.Equal(regions, table.Regions.ToArray());
        }
    }

    [Fact]
    public void Payloads_are_written_over_whatever_was_there()
    {
        byte[] buffer = new byte[512];
        Array.Fill(buffer, (byte)0xff);
        MemoryRegion[] regions = [new(1UL << 40, 2, 3UL << 50, 4), new(5, 6UL << 33, 7, 8)];
        int size = MemoryPayload.WriteTable(buffer, regions);
        Assert.Equal([2, 0, 0, 0, 0, 0, 0, 0], buffer[..8]);
        var back = new MemoryRegion[2];
        Assert.True(MemoryPayload.TryParseTable(buffer.AsSpan(0, size), back, out _));
        Assert.Equal(regions, back);

        Array.Fill(buffer, (byte)0xff);
        new RegionPayload(regions[1]).Write(buffer);
        Assert.Equal(new byte[8], buffer[..8]);
        Assert.True(RegionPayload.TryParse(buffer.AsSpan(0, MemoryPayload.SingleSize), out RegionPayload single));
        Assert.Equal(regions[1], single.Region);

        ReadOnlySpan<byte> state = MessageWriter.Write(buffer, RequestCode.GetVringBase, MessageFlags.NeedReply, new VringState(3, 77));
        MessageHeader header = MessageHeader.Read(state);
        Assert.True(header.NeedsReply);
        Assert.True(VringState.TryParse(state[MessageHeader.Size..], out VringState stateBack));
        Assert.Equal(new VringState(3, 77), stateBack);
        Assert.False(new MessageHeader(RequestCode.SetOwner, MessageFlags.Version1, 0).NeedsReply);
    }

    [Fact]
    public void The_greatest_message_is_read_and_no_greater_one_is_written()
    {
        byte[] buffer = new byte[MessageHeader.Size + MessageHeader.MaxPayloadSize + 1];
        byte[] message = MessageWriter.Write(buffer, RequestCode.GetFeatures, MessageFlags.Reply, new byte[MessageHeader.MaxPayloadSize]).ToArray();
        Assert.True(Samples.Feed(new MessageReader<BackEndMessage>(BackEndTable.Instance), message, 0, 4096, out int taken).IsOk);
        Assert.Equal(message.Length, taken);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => MessageWriter.Write(buffer, RequestCode.GetFeatures, MessageFlags.Reply, new byte[MessageHeader.MaxPayloadSize + 1]));
    }

    [Fact]
    public void Eight_regions_come_with_eight_descriptors()
    {
        byte[] payload = new byte[MemoryPayload.TableSize(8)];
        MemoryPayload.WriteTable(payload, [.. Enumerable.Range(0, 8).Select(static n => new MemoryRegion((ulong)n << 20, 0x1000, (ulong)n << 30, 0))]);
        byte[] message = MessageWriter.Write(new byte[MessageWriter.MaxSize], RequestCode.SetMemoryTable, MessageFlags.None, payload).ToArray();
        Assert.True(Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, 8, 4096, out _).IsOk);
        Assert.Contains("9 descriptors", Samples.Feed(new MessageReader<Request>(NetRequests.Table), message, 9, 4096, out _).Reason, StringComparison.Ordinal);

        MessageHeader header = MessageHeader.Read(message);
        Assert.True(NetRequests.Table.Parse(header, payload, 8, out Request? request).IsOk);
        Assert.Equal(8, Assert.IsType<SetMemoryTable>(request).Regions.Length);
        Assert.False(NetRequests.Table.Parse(header, payload, 7, out request).IsOk);
        Assert.Null(request);
    }

    [Fact]
    public void More_bytes_than_were_asked_for_are_the_callers_mistake_in_the_middle_as_well()
    {
        var reader = new MessageReader<Request>(NetRequests.Table);
        Assert.True(reader.Advance(5, 0).IsOk);
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Advance(8, 0));
    }

    [Fact]
    public void What_a_reply_carries_is_for_the_client_to_judge()
    {
        byte[] reply = MessageWriter.Write(new byte[64], RequestCode.SetVringKick, MessageFlags.Reply, ulong.MaxValue).ToArray();
        var reader = new MessageReader<BackEndMessage>(BackEndTable.Instance);
        Assert.True(Samples.Feed(reader, reply, 0, 4096, out _).IsOk);
        Assert.True(reader.IsComplete);
    }

    [Fact]
    public void Small_things_say_what_they_are()
    {
        Assert.Equal("ok", Verdict.Ok.ToString());
        Assert.Equal("why", Verdict.Refuse("why").ToString());
        Assert.False(Samples.Mac(0x50, 0, 0, 0, 0, 1).IsLocal);
        Assert.True(Samples.Mac(0x52, 0, 0, 0, 0, 1).IsLocal);
    }
}
