// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol.Tests;

/// <summary>Messages to start from.</summary>
internal static class Samples
{
    public static readonly DeviceInfo Info = new(VirtioDeviceId.Net, 1, Guid.Parse("00112233-4455-6677-8899-aabbccddeeff"), Mac(0x52, 0x54, 0, 0, 0, 1), 1500, 1UL << 32, "net0");

    public static MacAddress Mac(params byte[] bytes)
    {
        return MacAddress.Read(bytes);
    }

    /// <summary>What the session makes of a device info.</summary>
    public static Verdict Parse(ReadOnlySpan<byte> payload, out DeviceInfo info)
        => DeviceInfo.TryParse(payload, out info) ? info.Check() : Verdict.Refuse("wrong length");

    /// <summary>A whole valid message; tables have two regions.</summary>
    public static byte[] Valid(RequestCode request, out int descriptors)
    {
        Assert.True(NetRequests.Table.TryGet(request, out RequestRow? row));
        byte[] payload = new byte[request == RequestCode.SetMemoryTable ? MemoryPayload.TableSize(2) : row.MinPayload];
        descriptors = row.MaxDescriptors;
        switch (request)
        {
            case RequestCode.SetMemoryTable:
                descriptors = 2;
                _ = MemoryPayload.WriteTable(payload, [new MemoryRegion(0, 0x1000, 0, 0), new MemoryRegion(0x1000, 0x1000, 0x1000, 0)]);
                break;
            case RequestCode.AddMemoryRegion or RequestCode.RemoveMemoryRegion:
                new RegionPayload(new MemoryRegion(0, 0x1000, 0, 0)).Write(payload);
                break;
            case RequestCode.SetDeviceInfo:
                Info.Write(payload);
                break;
            case RequestCode.SetDriverState:
                new DriverState(VirtioNetFeatures.GuestChecksum, Info.Mac).Write(payload);
                break;
        }

        byte[] buffer = new byte[MessageWriter.MaxSize];
        return MessageWriter.Write(buffer, request, MessageFlags.None, payload).ToArray();
    }

    /// <summary>Gives a reader one message's bytes as a socket would, with its descriptors on the first byte.</summary>
    public static Verdict Feed<T>(MessageReader<T> reader, ReadOnlySpan<byte> stream, int descriptors, int step, out int taken)
        where T : class
    {
        taken = 0;
        Verdict verdict = Verdict.Ok;
        while (taken < stream.Length && verdict.IsOk && !reader.IsComplete)
        {
            int count = Math.Min(Math.Min(step, reader.Wanted.Length), stream.Length - taken);
            stream.Slice(taken, count).CopyTo(reader.Wanted);
            verdict = reader.Advance(count, taken == 0 ? descriptors : 0);
            taken += count;
        }

        return verdict;
    }
}
