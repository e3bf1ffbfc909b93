// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol.Tests;

/// <summary>The reference page and the code say the same numbers.</summary>
public sealed partial class ReferencePageTests
{
    private static readonly Dictionary<string, RequestCode> Names = new()
    {
        ["GET_FEATURES"] = RequestCode.GetFeatures,
        ["SET_FEATURES"] = RequestCode.SetFeatures,
        ["SET_OWNER"] = RequestCode.SetOwner,
        ["RESET_OWNER"] = RequestCode.ResetOwner,
        ["SET_MEM_TABLE"] = RequestCode.SetMemoryTable,
        ["SET_VRING_NUM"] = RequestCode.SetVringNum,
        ["SET_VRING_ADDR"] = RequestCode.SetVringAddress,
        ["SET_VRING_BASE"] = RequestCode.SetVringBase,
        ["GET_VRING_BASE"] = RequestCode.GetVringBase,
        ["SET_VRING_KICK"] = RequestCode.SetVringKick,
        ["SET_VRING_CALL"] = RequestCode.SetVringCall,
        ["SET_VRING_ERR"] = RequestCode.SetVringError,
        ["GET_PROTOCOL_FEATURES"] = RequestCode.GetProtocolFeatures,
        ["SET_PROTOCOL_FEATURES"] = RequestCode.SetProtocolFeatures,
        ["GET_QUEUE_NUM"] = RequestCode.GetQueueNum,
        ["SET_VRING_ENABLE"] = RequestCode.SetVringEnable,
        ["SEND_RARP"] = RequestCode.SendRarp,
        ["NET_SET_MTU"] = RequestCode.NetSetMtu,
        ["RESET_DEVICE"] = RequestCode.ResetDevice,
        ["GET_MAX_MEM_SLOTS"] = RequestCode.GetMaxMemorySlots,
        ["ADD_MEM_REG"] = RequestCode.AddMemoryRegion,
        ["REM_MEM_REG"] = RequestCode.RemoveMemoryRegion,
        ["SET_STATUS"] = RequestCode.SetStatus,
        ["GET_STATUS"] = RequestCode.GetStatus,
        ["VHOST_PCI_SET_DEVICE_INFO"] = RequestCode.SetDeviceInfo,
        ["VHOST_PCI_SET_DRIVER_STATE"] = RequestCode.SetDriverState,
    };

    private static readonly Dictionary<string, ulong> FeatureNames = new()
    {
        ["VERSION_1"] = VirtioFeatures.Version1,
        ["RING_EVENT_IDX"] = VirtioFeatures.RingEventIndex,
        ["RING_INDIRECT_DESC"] = VirtioFeatures.RingIndirect,
        ["NET_MQ"] = VirtioNetFeatures.MultiQueue,
        ["NET_MRG_RXBUF"] = VirtioNetFeatures.MergeableReceiveBuffers,
        ["NET_CSUM"] = VirtioNetFeatures.Checksum,
        ["NET_GUEST_CSUM"] = VirtioNetFeatures.GuestChecksum,
        ["NET_GUEST_TSO4"] = VirtioNetFeatures.GuestTso4,
        ["NET_GUEST_TSO6"] = VirtioNetFeatures.GuestTso6,
        ["NET_HOST_TSO4"] = VirtioNetFeatures.HostTso4,
        ["NET_HOST_TSO6"] = VirtioNetFeatures.HostTso6,
        ["VHOST_USER_F_PROTOCOL_FEATURES"] = VirtioFeatures.VhostUserProtocolFeatures,
        ["RING_PACKED"] = VirtioFeatures.RingPacked,
        ["IN_ORDER"] = VirtioFeatures.InOrder,
    };

    private static readonly Dictionary<string, ulong> ProtocolNames = new()
    {
        ["MQ"] = ProtocolFeatures.MultiQueue,
        ["RARP"] = ProtocolFeatures.Rarp,
        ["REPLY_ACK"] = ProtocolFeatures.ReplyAck,
        ["NET_MTU"] = ProtocolFeatures.NetMtu,
        ["RESET_DEVICE"] = ProtocolFeatures.ResetDevice,
        ["CONFIGURE_MEM_SLOTS"] = ProtocolFeatures.ConfigureMemorySlots,
        ["STATUS"] = ProtocolFeatures.Status,
        ["VHOST_PCI"] = ProtocolFeatures.VhostPci,
        ["DRIVER_STATE"] = ProtocolFeatures.DriverState,
    };

    [Fact]
    public void RequestTableListsEveryRequestOnce()
    {
        RequestCode[] listed = [.. Rows().Select(static r => Names[r[1]])];

        Assert.Equal(Enum.GetValues<RequestCode>().Where(static c => c != RequestCode.None).Order(), listed.Order());
    }

    [Fact]
    public void RequestNumbersAgree()
    {
        foreach (string[] row in Rows())
            Assert.Equal((uint)Names[row[1]], Number(row[0]));
    }

    [Fact]
    public void RequestsOfTheBackEndAgree()
    {
        IReadOnlyList<string[]> rows = ReferencePage.Table("Requests the front-end takes");

        Assert.Equal(
            [("VHOST_PCI_LINK", (uint)BackEndRequest.SetLink), ("VHOST_PCI_ACCEPT_FEATURES", (uint)BackEndRequest.AcceptFeatures)],
            rows.Select(static r => (r[1], Number(r[0]))));
        Assert.All(rows, static r => Assert.Equal(U64Payload.Size, PayloadSize(r[2], 1)));
        Assert.Equal(rows.Count, Enum.GetValues<BackEndRequest>().Length);
    }

    [Fact]
    public void PayloadSizesAgree()
    {
        foreach (string[] row in Rows())
        {
            RequestRow syntax = Row(row);
            Assert.Equal((row[1], PayloadSize(row[2], 1)), (row[1], syntax.MinPayload));
            Assert.Equal((row[1], PayloadSize(row[2], MemoryPayload.MaxRegions)), (row[1], syntax.MaxPayload));
        }
    }

    [Fact]
    public void DescriptorCountsAgree()
    {
        foreach (string[] row in Rows())
        {
            RequestRow syntax = Row(row);
            (int, int) expected = row[3] switch
            {
                "0" => (0, 0),
                "1" => (1, 1),
                "0 or 1" => (0, 1),
                "count" => (1, MemoryPayload.MaxRegions),
                _ => throw new InvalidOperationException($"\"{row[3]}\" in the fds column"),
            };
            Assert.Equal((row[1], expected), (row[1], (syntax.MinDescriptors, syntax.MaxDescriptors)));
        }
    }

    [Fact]
    public void RepliesAgree()
    {
        foreach (string[] row in Rows())
        {
            RequestRow syntax = Row(row);
            Assert.Equal((row[1], row[4] == "" ? 0 : PayloadSize(row[4], 1)), (row[1], syntax.ReplyPayload));
        }
    }

    [Fact]
    public void NotesWithNumbersAgree()
    {
        Dictionary<string, string> notes = Rows().ToDictionary(static r => r[1], static r => r[5]);

        Assert.Equal($"1 to {MemoryPayload.MaxRegions} regions", notes["SET_MEM_TABLE"]);
        Assert.StartsWith($"2^0..2^{BitOperations.Log2(RingLayout.MaxEntries)}, power of two", notes["SET_VRING_NUM"], StringComparison.Ordinal);
        Assert.Equal($"{DeviceInfo.MinMtu}..{ushort.MaxValue}", notes["NET_SET_MTU"]);
        Assert.Equal($"ring pairs: `queues-max=`, {GuestAbi.MaxQueuePairs} by default", notes["GET_QUEUE_NUM"]);
        Assert.Contains($"the greatest ring number is {GuestAbi.MaxRings - 1}", ReferencePage.Section("Queue pairs"), StringComparison.Ordinal);
        Assert.Equal($"{MemoryPayload.MaxRegions}", notes["GET_MAX_MEM_SLOTS"]);
        foreach (string name in (string[])["SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR"])
            Assert.Contains($"bit {BitOperations.Log2(VringFile.NoDescriptorBit)}: no fd", Rows().Single(r => r[1] == name)[2], StringComparison.Ordinal);
    }

    [Fact]
    public void FramingAgrees()
    {
        byte[] bytes = new byte[MessageHeader.Size];
        new MessageHeader((RequestCode)0x11111111, (MessageFlags)0x22222222, 0x33333333).Write(bytes);
        foreach (string[] row in ReferencePage.Table("Framing"))
        {
            byte expected = row[2] switch
            {
                "request" => 0x11,
                var t when t.StartsWith("flags", StringComparison.Ordinal) => 0x22,
                var t when t.StartsWith("size", StringComparison.Ordinal) => 0x33,
                _ => 0,
            };
            Assert.All(bytes.Skip((int)Number(row[0])).Take((int)Number(row[1])), b => Assert.Equal(expected, b));
        }

        string text = ReferencePage.Section("Framing");
        Assert.Contains($"at most {MessageHeader.MaxPayloadSize}", text, StringComparison.Ordinal);
        Assert.Contains($"At most {MessageHeader.MaxDescriptors} come with a message", text, StringComparison.Ordinal);
        Assert.Contains("bits 0-1 version (1), bit 2 reply, bit 3 need_reply", text, StringComparison.Ordinal);
        Assert.Equal((1u, 3u, 4u, 8u), ((uint)MessageFlags.Version1, (uint)MessageFlags.VersionMask, (uint)MessageFlags.Reply, (uint)MessageFlags.NeedReply));
    }

    [Fact]
    public void VirtioFeatureBitsAgree() => AssertBits(ReferencePage.Bits("Offered virtio features"), FeatureNames, VirtioNetFeatures.Offered);

    [Fact]
    public void ProtocolFeatureBitsAgree() => AssertBits(ReferencePage.Bits("Offered protocol features"), ProtocolNames, ProtocolFeatures.Offered);

    [Fact]
    public void DeviceInfoFieldsAgree()
    {
        var info = new DeviceInfo(
            VirtioDeviceId.Net, 0x1111, Guid.Parse("22222222-2222-2222-2222-222222222222"), Mac("33:33:33:33:33:33"), 0x4444, 0x5555555555555555, new string('f', DeviceInfo.NameSize));
        byte[] bytes = new byte[DeviceInfo.Size];
        info.Write(bytes);
        int end = 0;
        foreach (string[] row in ReferencePage.Table("VHOST_PCI_SET_DEVICE_INFO"))
        {
            int offset = (int)Number(row[0]);
            int size = (int)Number(row[1]);
            Assert.Equal(end, offset);
            end = offset + size;
            byte? fill = row[2] switch
            {
                "queue pairs" => 0x11,
                var t when t.StartsWith("VM UUID", StringComparison.Ordinal) => 0x22,
                var t when t.StartsWith("MAC", StringComparison.Ordinal) => 0x33,
                var t when t.StartsWith("MTU", StringComparison.Ordinal) => 0x44,
                var t when t.StartsWith("end of guest memory", StringComparison.Ordinal) => 0x55,
                var t when t.StartsWith("device name", StringComparison.Ordinal) => (byte)'f',
                _ => null,
            };
            if (fill is { } value)
                Assert.All(bytes[offset..end], b => Assert.Equal(value, b));
            else if (row[2].StartsWith("version", StringComparison.Ordinal))
                Assert.Equal($"version: {BitConverter.ToUInt32(bytes, offset)}", row[2]);
            else
                Assert.StartsWith($"virtio device id: {BitConverter.ToUInt16(bytes, offset)}", row[2], StringComparison.Ordinal);
        }

        Assert.Equal(DeviceInfo.Size, end);
        string? note = Rows().Single(static r => r[1] == "VHOST_PCI_SET_DEVICE_INFO")[2];
        Assert.Equal($"device info ({DeviceInfo.Size})", note);
    }

    [Fact]
    public void DriverStateFieldsAgree()
    {
        byte[] bytes = new byte[DriverState.Size];
        new DriverState(0x1111111111111111, Mac("22:22:22:22:22:22")).Write(bytes);
        int end = 0;
        foreach (string[] row in ReferencePage.Table("VHOST_PCI_SET_DRIVER_STATE"))
        {
            Assert.Equal(end, (int)Number(row[0]));
            end += (int)Number(row[1]);
            byte fill = row[2].StartsWith("offloads", StringComparison.Ordinal) ? (byte)0x11 : row[2].StartsWith("MAC", StringComparison.Ordinal) ? (byte)0x22 : (byte)0;
            Assert.All(bytes[(int)Number(row[0])..end], b => Assert.Equal(fill, b));
        }

        Assert.Equal(DriverState.Size, end);
        Assert.Equal($"driver state ({DriverState.Size})", Rows().Single(static r => r[1] == "VHOST_PCI_SET_DRIVER_STATE")[2]);
    }

    [Fact]
    public void RegionIsAsDescribed()
    {
        byte[] bytes = new byte[MemoryRegion.Size];
        new MemoryRegion(1, 2, 3, 4).Write(bytes);
        Assert.Contains("Region: u64 guest address, u64 size, u64 user address, u64 fd offset.", ReferencePage.Section("Requests the back-end takes"), StringComparison.Ordinal);
        Assert.Equal([1, 2, 3, 4], Enumerable.Range(0, 4).Select(i => (int)BitConverter.ToUInt64(bytes, 8 * i)));
    }

    private static RequestRow Row(string[] row)
    {
        Assert.True(NetRequests.Table.TryGet(Names[row[1]], out RequestRow? syntax), row[1]);
        return syntax;
    }

    private static IReadOnlyList<string[]> Rows() => ReferencePage.Table("Requests the back-end takes");

    private static MacAddress Mac(string text)
    {
        MacAddress mac = MacAddress.Read(Convert.FromHexString(text.Replace(":", "", StringComparison.Ordinal)));
        return mac;
    }

    private static void AssertBits(Dictionary<string, int> page, Dictionary<string, ulong> code, ulong offered)
    {
        Assert.Equal(code.Keys.Order(), page.Keys.Order());
        foreach ((string name, int bit) in page)
            Assert.Equal((name, 1UL << bit), (name, code[name]));
        Assert.Equal(offered, page.Values.Aggregate(0UL, static (sum, bit) => sum | 1UL << bit));
    }

    private static uint Number(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? uint.Parse(text[2..], NumberStyles.HexNumber, null)
        : uint.Parse(text, null);

    /// <summary>Bytes of "u32 index, u64 desc, used, count x region (32)": a name without a type has that of the one before.</summary>
    private static int PayloadSize(string text, int count)
    {
        if (text == "-")
            return 0;

        int total = 0;
        int last = 0;
        foreach (string part in text.Split(','))
        {
            string item = part.Trim();
            Match region = Region().Match(item);
            Match type = Type().Match(item);
            if (region.Success)
                last = int.Parse(region.Groups["size"].Value, null) * (region.Groups["count"].Success ? count : 1);
            else if (type.Success)
                last = int.Parse(type.Groups["bits"].Value, null) / 8;
            else if (item.StartsWith("bit ", StringComparison.Ordinal))
                last = 0;
            total += last;
        }

        return total;
    }

    [GeneratedRegex(@"^(?<count>count x )?(region|device info|driver state) \((?<size>\d+)\)$")]
    private static partial Regex Region();

    [GeneratedRegex(@"^u(?<bits>16|32|64)\b")]
    private static partial Regex Type();
}
