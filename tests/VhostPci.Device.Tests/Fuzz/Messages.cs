// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A message on its way: its bytes and what comes along.</summary>
internal sealed record Message(byte[] Bytes, FileKind[] Files);

/// <summary>Makes the messages of steps: right ones first, then what the flaw makes of them.</summary>
internal static class Messages
{
    private const ulong Page = 4096;
    private const ulong UserBase = 0x7f00_0000_0000;

    // The rings of an origin do not touch each other, but for the last size.
    private static readonly uint[] PackedSizes = [256, 1, 100, 3000, 2, 17, 1100, 3, 2050, 32768];

    /// <summary>All that takes a front-end from nothing to running rings.</summary>
    internal static IEnumerable<Message> Start(Step step)
    {
        int pairs = 1 + (int)(step.Index % 3);
        yield return Number(RequestCode.SetProtocolFeatures, ProtocolFeatures.Offered & ~(step.Value % 4 == 3 ? ProtocolFeatures.ReplyAck : 0));
        yield return Number(RequestCode.SetFeatures, Features(step.Value));
        if (step.Value % 8 == 0)
        {
            yield return Info(pairs, step.Value);
        }

        for (int ring = 2 * pairs; ring-- > 0;)
        {
            yield return File(RequestCode.SetVringCall, (uint)ring, FileKind.Event);
        }

        yield return Table(step with { Value = 0 });
        for (uint ring = 0; ring < 2 * pairs; ring++)
        {
            uint size = IsPacked(step.Value) ? PackedSizes[(step.Value + ring) % (ulong)PackedSizes.Length] : 256;
            yield return State(RequestCode.SetVringNum, ring, size);
            if (!IsPacked(step.Value) || step.At % 8 != 7)
            {
                yield return State(RequestCode.SetVringBase, ring, IsPacked(step.Value) ? Position((uint)step.At % size, step.Value) : ring);
            }

            yield return Address(ring, 0);
            yield return File(RequestCode.SetVringKick, ring, FileKind.Event);
            yield return State(RequestCode.SetVringEnable, ring, 1);
        }
    }

    /// <summary>What the step wants to say, without its flaw.</summary>
    internal static Message Plain(Step step)
    {
        switch (step.Request)
        {
            case RequestCode.SetFeatures:
                return Number(step.Request, IsWild(step) ? step.Value : Features(step.Value));
            case RequestCode.SetProtocolFeatures:
                return Number(step.Request, IsWild(step) ? step.Value : ProtocolFeatures.Offered & ~(step.Value % 8 == 7 ? step.Value : 0));
            case RequestCode.SetStatus:
                return Number(step.Request, IsWild(step) ? step.Value : step.Value & 0xf);
            case RequestCode.NetSetMtu:
                return Number(step.Request, IsWild(step) ? step.Value & 0x1ffff : 1500 + step.Value);
            case RequestCode.SendRarp:
                return Number(step.Request, IsWild(step) ? step.Value : (step.Value << 40) | 0x5452);
            case RequestCode.SetDeviceInfo:
                return Info(IsWild(step) ? (int)(step.Value & 63) : 1 + (int)(step.Index % 3), step.Value);
            case RequestCode.SetDriverState:
                return DriverState(step);
            case RequestCode.SetMemoryTable:
                return Table(step);
            case RequestCode.AddMemoryRegion or RequestCode.RemoveMemoryRegion:
                byte[] single = new byte[MemoryPayload.SingleSize];
                new RegionPayload(Region(step, 1 + (int)(step.Value % 4))).Write(single);
                return Make(step.Request, single, step.Request == RequestCode.AddMemoryRegion || step.Value % 2 == 1 ? [FileKind.Memory] : []);
            case RequestCode.SetVringAddress:
                return Address(step.Index, step.Value);
            case RequestCode.SetVringNum:
                return State(
                    step.Request,
                    step.Index,
                    IsWild(step) ? (uint)step.Value : step.Value % 16 == 15 ? PackedSizes[step.At % PackedSizes.Length] : 256U >> (int)(step.Value % 4));
            case RequestCode.SetVringBase:
                return State(step.Request, step.Index, step.Value % 8 == 7 ? Position((uint)step.Value / 8, (uint)step.At) : (uint)step.Value & 0x1ffff);
            case RequestCode.SetVringEnable:
                return State(step.Request, step.Index, IsWild(step) ? (uint)step.Value : step.Value % 4 == 3 ? 0U : 1);
            case RequestCode.GetVringBase:
                return State(step.Request, step.Index, 0);
            case RequestCode.SetVringKick or RequestCode.SetVringCall or RequestCode.SetVringError:
                return File(step.Request, step.Index, step.Value % 8 == 7 ? null : FileKind.Event);
            case RequestCode.GetFeatures or RequestCode.GetProtocolFeatures or RequestCode.GetQueueNum or RequestCode.GetMaxMemorySlots
                or RequestCode.GetStatus or RequestCode.SetOwner or RequestCode.ResetOwner or RequestCode.ResetDevice:
                return Make(step.Request, []);
            default:
                return Number(step.Request, step.Value);
        }
    }

    internal static Message Junk(Step step)
    {
        byte[] bytes = new byte[1 + (step.At % 80)];
        new Random((int)(step.Value & int.MaxValue)).NextBytes(bytes);
        if (step.Index % 2 == 0 && bytes.Length >= MessageHeader.Size)
        {
            new MessageHeader(step.Request, MessageFlags.Version1, (uint)(bytes.Length - MessageHeader.Size)).Write(bytes);
        }

        return new Message(bytes, []);
    }

    /// <summary>The message as the flaw leaves it; flaws of sending are the sender's.</summary>
    internal static Message Spoil(Message message, Flaw flaw, int at)
    {
        byte[] bytes = [.. message.Bytes];
        switch (flaw)
        {
            case Flaw.NeedReply:
                bytes[4] |= (byte)MessageFlags.NeedReply;
                return message with { Bytes = bytes };
            case Flaw.FlippedBit:
                bytes[at / 8 % bytes.Length] ^= (byte)(1 << (at % 8));
                return message with { Bytes = bytes };
            case Flaw.Truncated:
                return message with { Bytes = bytes[..(at % bytes.Length)] };
            case Flaw.TooLong:
                return message with { Bytes = [.. bytes, .. new byte[1 + (at % 40)]] };
            case Flaw.WrongSizeField:
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), at % 3 == 0 ? uint.MaxValue : (uint)at);
                return message with { Bytes = bytes };
            case Flaw.WrongFlags:
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), (uint)at % 32);
                return message with { Bytes = bytes };
            case Flaw.NoFiles:
                return message with { Files = [] };
            case Flaw.MoreFiles:
                return message with { Files = [.. message.Files, .. Enumerable.Repeat(FileKind.Event, 1 + (at % 10))] };
            case Flaw.WrongFiles:
                return message with { Files = [.. message.Files.Select(_ => (FileKind)(at % 5))] };
            default:
                return message;
        }
    }

    // Some steps of the generator have a number from the whole range.
    private static bool IsWild(Step step) => step.Value >= 64;

    private static bool IsPacked(ulong value) => value % 3 == 1;

    /// <summary>The position of a packed ring in one of its forms; with both wrap counters, and with and without the upper half.</summary>
    private static uint Position(uint slot, ulong form)
    {
        uint half = slot | (form / 2 % 2 == 0 ? 0x8000U : 0);
        return form % 2 == 0 ? half : half | (half << 16);
    }

    private static ulong Features(ulong value) => ((FrontEnd.Features | (IsPacked(value) ? VirtioFeatures.RingPacked : 0))
        & ~(value % 8 == 5 ? VirtioFeatures.VhostUserProtocolFeatures : 0)
        & ~(value % 8 == 6 ? VirtioFeatures.RingEventIndex : 0))
        | (value % 2 == 0 ? VirtioNetFeatures.GuestOffloads : 0);

    private static Message Make(RequestCode request, byte[] payload, params FileKind[] files)
        => new(MessageWriter.Write(new byte[MessageHeader.Size + payload.Length], request, MessageFlags.None, payload).ToArray(), files);

    private static Message Number(RequestCode request, ulong value)
    {
        byte[] payload = new byte[U64Payload.Size];
        new U64Payload(value).Write(payload);
        return Make(request, payload);
    }

    private static Message State(RequestCode request, uint index, uint value)
    {
        byte[] payload = new byte[VringState.Size];
        new VringState(index, value).Write(payload);
        return Make(request, payload);
    }

    private static Message File(RequestCode request, uint index, FileKind? file)
    {
        byte[] payload = new byte[VringFile.Size];
        new VringFile(index, file is not null).Write(payload);
        return file is { } kind ? Make(request, payload, kind) : Make(request, payload);
    }

    /// <summary>Where a ring is: small values somewhere in the first region, others anywhere.</summary>
    private static Message Address(uint index, ulong value)
    {
        ulong at = UserBase + (Page * 16 * (index % 16)) + (value < 64 ? Page * (value % 4) : value);
        byte[] payload = new byte[VringAddress.Size];
        new VringAddress(index, value % 32 == 31 ? 1U : 0, at, unchecked(at + (3 * Page)), unchecked(at + (2 * Page)), 0).Write(payload);
        return Make(RequestCode.SetVringAddress, payload);
    }

    private static Message Info(int pairs, ulong value)
    {
        // Of few, so that some come again.
        MacAddress mac = MacAddress.Read([(byte)(value % 16 == 15 ? 1 : 0x52), 0x54, 0, 0, 0, (byte)(value / 8 % 2)]);
        byte[] payload = new byte[DeviceInfo.Size];
        ulong end = value % 8 == 7 ? MirrorModel.SlotSize * (value % 5) : IPorts.MemorySize;
        new DeviceInfo(VirtioDeviceId.Net, (ushort)pairs, Guid.Empty, value % 3 != 2 ? mac : default, (ushort)(value % 4 == 0 ? 0 : 40 * value), end, "nic\n\u202e").Write(payload);
        return Make(RequestCode.SetDeviceInfo, payload);
    }

    private static Message DriverState(Step step)
    {
        MacAddress mac = MacAddress.Read([(byte)(step.Value % 16 == 15 ? 1 : 0x52), 0x54, 0, 0, 0, (byte)step.Index]);
        ulong offloads = IsWild(step) ? step.Value : VirtioNetFeatures.GuestOffloads & (step.Value << 6 | step.Value);
        byte[] payload = new byte[Protocol.Net.DriverState.Size];
        new DriverState(offloads, step.Value % 4 == 0 ? default : mac).Write(payload);
        return Make(RequestCode.SetDriverState, payload);
    }

    private static Message Table(Step step)
    {
        int count = 1 + (int)(step.Index % 3);
        MemoryRegion[] regions = [.. Enumerable.Range(0, count).Select(i => Region(step, i))];
        byte[] payload = new byte[MemoryPayload.TableSize(count)];
        MemoryPayload.WriteTable(payload, regions);
        return Make(RequestCode.SetMemoryTable, payload, [.. Enumerable.Repeat(FileKind.Memory, count)]);
    }

    /// <summary>Region 0 has the rings; the others lie behind it, some of them beyond the first windows.</summary>
    private static MemoryRegion Region(Step step, int number)
    {
        if (number == 0)
        {
            return new MemoryRegion(0, IPorts.MemorySize, UserBase, 0);
        }

        ulong guest = (step.Value % 8 == 7 ? MirrorModel.SlotSize * (1 + (step.Index % 4)) : 0) + (IPorts.MemorySize * (ulong)number);
        ulong length = Page << number;
        var region = new MemoryRegion(guest, length, UserBase + (1UL << 40) + guest, Page * (ulong)number);
        return !IsWild(step) ? region : (step.Index % 5) switch
        {
            0 => region with { GuestAddress = step.Value << 11 },
            1 => region with { Length = step.Value << 11 },
            2 => region with { UserAddress = ulong.MaxValue - (step.Value % (2 * length)) },
            3 => region with { FileOffset = ulong.MaxValue - (step.Value % (2 * length)) },
            _ => region with { GuestAddress = ulong.MaxValue - (step.Value % (2 * length)) },
        };
    }
}
