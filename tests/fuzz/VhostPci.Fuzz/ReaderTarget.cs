// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Tests.Fuzz;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Fuzz;

/// <summary>
/// The message reader: a stream in pieces, some with descriptors. The same stream must mean the same however it is cut, and what is taken must be
/// what the table in protocol.md allows, as the model of a session has it.
/// </summary>
internal static class ReaderTarget
{
    // The three upper bits of the byte before each piece say which: none, mostly.
    private static readonly int[] DescriptorCounts = [0, 0, 0, 0, 1, 2, 8, 9];
    private static readonly RequestCode[] Requests = Enum.GetValues<RequestCode>();

    internal static void Run(byte[] data)
    {
        var input = new Input(data);
        bool isServer = input.Byte() % 2 == 0;
        var stream = new List<(byte[] Bytes, int Descriptors)>();
        while (!input.IsEmpty)
        {
            // In the lower bits how long it is, or that it is the header of a message that could be right.
            byte how = input.Byte();
            byte[] bytes = (how & 31) == 31 ? Header(ref input) : input.UpTo(1 + (how & 31)).ToArray();
            if (bytes.Length != 0)
            {
                stream.Add((bytes, DescriptorCounts[how >> 5]));
            }
        }

        List<string> whole = isServer ? Read(NetRequests.Table, stream, int.MaxValue) : Read(BackEndTable.Instance, stream, int.MaxValue);
        List<string> bytewise = isServer ? Read(NetRequests.Table, stream, 1) : Read(BackEndTable.Instance, stream, 1);
        if (!whole.SequenceEqual(bytewise))
        {
            throw new InvalidOperationException($"at once: {string.Join("; ", whole)}\nby bytes: {string.Join("; ", bytewise)}");
        }
    }

    /// <summary>A header, and zeros for the payload but for what the input has for it.</summary>
    private static byte[] Header(ref Input input)
    {
        RequestCode request = Requests[input.Byte() % Requests.Length];
        byte what = input.Byte();
        int size = (what & 15) switch
        {
            0 => input.Byte(),
            < 9 when request == RequestCode.SetMemoryTable => MemoryPayload.TableSize(what & 15),
            _ => NetRequests.Table.TryGet(request, out RequestRow? row) ? row.MinPayload : 8,
        };
        byte[] message = new byte[MessageHeader.Size + size];
        MessageFlags flags = MessageFlags.Version1 | ((what & 16) != 0 ? MessageFlags.NeedReply : 0) | ((what & 32) != 0 ? MessageFlags.Reply : 0);
        new MessageHeader(request, flags, (uint)size).Write(message);
        input.UpTo(Math.Min(size, what >> 6 << 3)).CopyTo(message.AsSpan(MessageHeader.Size));
        return message;
    }

    private static List<string> Read<T>(IMessageTable<T> table, List<(byte[] Bytes, int Descriptors)> stream, int most)
        where T : class
    {
        var found = new List<string>();
        var reader = new MessageReader<T>(table);
        foreach ((byte[] bytes, int descriptors) in stream)
        {
            int first = descriptors;
            for (int at = 0; at < bytes.Length;)
            {
                int count = Math.Min(Math.Min(reader.Wanted.Length, most), bytes.Length - at);
                Must(count > 0, "it asks for nothing");
                bytes.AsSpan(at, count).CopyTo(reader.Wanted);
                at += count;
                Verdict verdict = reader.Advance(count, first);
                first = 0;
                if (!verdict.IsOk)
                {
                    Must(verdict.Reason.Length != 0 && reader.Wanted.IsEmpty, "a refusal without a reason, or that goes on");
                    found.Add(verdict.Reason);
                    return found;
                }

                if (reader.IsComplete)
                {
                    Take(reader);
                    found.Add($"{reader.Header} {Convert.ToHexString(reader.Payload)} {reader.Descriptors}");
                    reader.Reset();
                }
            }
        }

        found.Add(reader.IsIdle ? "idle" : "in the midst");
        return found;
    }

    private static void Take<T>(MessageReader<T> reader)
        where T : class
    {
        MessageHeader header = reader.Header;
        ReadOnlySpan<byte> payload = reader.Payload;
        Must(header.PayloadSize == payload.Length && payload.Length <= MessageHeader.MaxPayloadSize, "the size");
        if (reader.Message is not Request request)
        {
            Must(reader.Descriptors == 0, "descriptors with a reply");
            return;
        }

        Must(((uint)header.Flags & ~8U) == 1, "the flags");
        (int size, int least, int greatest) = OriginModel.Syntax(header.Request, payload.Length) ?? (-1, 0, 0);
        Must(size == payload.Length && reader.Descriptors >= least && reader.Descriptors <= greatest, "the table has no such message");
        Must(Agrees(request, payload, reader.Descriptors), "the request is not what its bytes say");
    }

    private static bool Agrees(Request request, ReadOnlySpan<byte> payload, int descriptors) => request switch
    {
        SetMemoryTable table => table.Regions.Length == descriptors && MemoryPayload.TableSize(descriptors) == payload.Length,
        SetVringKick { File: var file } => file.HasDescriptor == (descriptors == 1),
        SetVringCall { File: var file } => file.HasDescriptor == (descriptors == 1),
        SetVringError { File: var file } => file.HasDescriptor == (descriptors == 1),
        SetVringNum ring => BitConverter.ToUInt32(payload) == ring.Ring && BitConverter.ToUInt32(payload[4..]) == ring.Entries,
        SetStatus status => BitConverter.ToUInt64(payload) == status.Status,
        _ => true,
    };

    private static void Must(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException(what);
        }
    }
}
