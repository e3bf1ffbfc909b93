// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>What QEMU's vhost core asks of the front-end while the device runs; results are 0 or -errno.</summary>
public sealed partial class VhostPciClient
{
    private const string NotShared =
        "guest RAM is not shared: add -object memory-backend-memfd,id=mem,size=<ram>,share=on -machine memory-backend=mem";

    /// <summary>Tells the server what the driver acknowledged.</summary>
    public int SetFeatures(ulong features)
    {
        _acknowledged = features & OfferedFeatures;
        if (State != ClientState.Connected)
        {
            return ErrorCode.NotConnected;
        }

        ulong missing = _acknowledged & ~_serverFeatures;
        if (missing != 0)
        {
            _troubles.Unusable($"the server lacks features that the driver uses: {FeatureNames.Format(missing)}");
            return ErrorCode.InvalidArgument;
        }

        bool sent = Send(RequestCode.SetFeatures, _acknowledged | VirtioFeatures.VhostUserProtocolFeatures);
        OnFeaturesSent();
        return Result(sent);
    }

    /// <summary>Announces the guest's RAM; a region's user address is its guest address, so that host addresses stay here.</summary>
    /// <param name="sections">The RAM.</param>
    /// <param name="backings">What is behind it, for the log: a server may refuse it.</param>
    public int SetMemory(ReadOnlySpan<MemorySection> sections, ReadOnlySpan<MemoryBacking> backings = default)
    {
        _doubts = MemoryBacking.Doubts(backings);
        if (State != ClientState.Connected)
        {
            return ErrorCode.NotConnected;
        }

        MemorySection[] merged = sections.ToArray();
        Verdict verdict = MemorySection.Coalesce(merged, out int count);
        if (!verdict.IsOk)
        {
            return BadMemory(verdict.Reason);
        }

        if (count == 0)
        {
            return BadMemory(NotShared);
        }

        if (count > MemoryPayload.MaxRegions)
        {
            return BadMemory($"guest RAM is in {count} pieces, {MemoryPayload.MaxRegions} is the most: use one memory backend for all of it");
        }

        Span<MemoryRegion> regions = stackalloc MemoryRegion[count];
        Span<int> files = stackalloc int[count];
        for (int i = 0; i < count; i++)
        {
            regions[i] = new MemoryRegion(merged[i].GuestAddress, merged[i].Length, merged[i].GuestAddress, merged[i].FileOffset);
            files[i] = merged[i].FileDescriptor;
        }

        Span<byte> payload = stackalloc byte[MemoryPayload.TableSize(count)];
        MemoryPayload.WriteTable(payload, regions);
        return Result(Send(RequestCode.SetMemoryTable, payload, files));
    }

    /// <summary>Tells the size of a ring.</summary>
    public int SetVringNum(uint index, uint entries) => SendState(RequestCode.SetVringNum, index, entries);

    /// <summary>Tells where a ring stands.</summary>
    public int SetVringBase(uint index, uint position) => SendState(RequestCode.SetVringBase, index, position);

    /// <summary>Enables or disables a ring.</summary>
    public int Enable(uint index, bool enable) => SendState(RequestCode.SetVringEnable, index, enable ? 1U : 0);

    /// <summary>Tells where a ring is: guest-physical addresses.</summary>
    public int SetVringAddress(uint index, ulong desc, ulong avail, ulong used)
    {
        if (State != ClientState.Connected)
        {
            return ErrorCode.NotConnected;
        }

        Span<byte> payload = stackalloc byte[VringAddress.Size];
        new VringAddress(index, 0, desc, used, avail, 0).Write(payload);
        return Result(Send(RequestCode.SetVringAddress, payload));
    }

    /// <summary>Hands over an eventfd; -1 says that the ring is polled.</summary>
    public int SetVringFile(uint index, RingEndpoint endpoint, int descriptor)
    {
        if (State != ClientState.Connected)
        {
            return ErrorCode.NotConnected;
        }

        RequestCode request = endpoint switch
        {
            RingEndpoint.Kick => RequestCode.SetVringKick,
            RingEndpoint.Call => RequestCode.SetVringCall,
            _ => RequestCode.SetVringError,
        };
        Span<byte> payload = stackalloc byte[VringFile.Size];
        new VringFile(index, descriptor >= 0).Write(payload);
        return Result(descriptor >= 0 ? Send(request, payload, [descriptor]) : Send(request, payload));
    }

    /// <summary>Stops a ring: returns when the mirror cannot touch it any more.</summary>
    /// <param name="index">The ring.</param>
    /// <param name="table">Its descriptors, in our own memory.</param>
    /// <param name="device">Its device area.</param>
    /// <returns>Where the ring stands. That is read from the ring: it cannot be taken from a mirror, which may be gone or lie.</returns>
    public uint GetVringBase(uint index, Span<byte> table, ReadOnlySpan<byte> device)
    {
        _ = Stop(index);
        if ((_acknowledged & VirtioFeatures.RingPacked) == 0)
        {
            return device.IsEmpty ? 0U : BinaryPrimitives.ReadUInt16LittleEndian(device[(int)RingLayout.IndexOffset..]);
        }

        if (table.IsEmpty)
        {
            return PackedPosition.FromValue(0x8000).ToWire();
        }

        ushort[] flags = PackedRing.GetFlags(table);
        PackedPosition position = PackedRing.Find(flags, out SlotRange rest);
        foreach (int slot in rest.LastToFirst(flags.Length))
        {
            BinaryPrimitives.WriteUInt16LittleEndian(
                table[((slot * PackedRing.DescriptorSize) + PackedRing.FlagsOffset)..], PackedRing.Return(flags[slot]));
        }

        return position.ToWire();
    }

    /// <summary>Stops a ring: returns when the mirror cannot touch it any more.</summary>
    /// <returns>What the server says of its position, or -errno.</returns>
    internal long Stop(uint index)
    {
        if (State != ClientState.Connected)
        {
            return ErrorCode.NotConnected;
        }

        Span<byte> payload = stackalloc byte[VringState.Size];
        new VringState(index, 0).Write(payload);
        if (!Send(RequestCode.GetVringBase, payload) || _channel is not { } channel || _source is not { } source)
        {
            return ErrorCode.BrokenPipe;
        }

        long start = _time.GetTimestamp();
        long result = AwaitBase(index, channel, source, start);
        _waits.Charge(start);
        return result;
    }

    private long AwaitBase(uint index, IChannel channel, MessageSource<BackEndMessage> source, long start)
    {
        while (true)
        {
            switch (source.Read(out string reason))
            {
                case ReadStatus.Message when TryNote(source.Message):
                    // This is inside a call that stops the device, which is no moment to change its link.
                    source.Next();
                    _host.ArmTimer(Number, LinkDownDelay);
                    break;
                case ReadStatus.Message:
                    BackEndMessage message = source.Message;
                    source.Next();
                    return TakeBase(message, index);
                case ReadStatus.Closed:
                    Lose($"it closed the connection while a ring was being stopped{_doubts}");
                    return ErrorCode.BrokenPipe;
                case ReadStatus.Invalid:
                    Lose(reason);
                    return ErrorCode.BrokenPipe;
            }

            int left = _waits.Left(start);
            if (left <= 0 || !channel.WaitReadable(left))
            {
                Lose($"it did not stop ring {index} in time: a stop of all rings may take {Budgets.ServerWait / 1000} s");
                return ErrorCode.TimedOut;
            }
        }
    }

    private long TakeBase(BackEndMessage message, uint index)
    {
        bool packed = (_acknowledged & VirtioFeatures.RingPacked) != 0;
        if (message is not RingReply { Ring: var ring } || ring.Index != index || (!packed && ring.Value > ushort.MaxValue))
        {
            Lose("unexpected reply while a ring was being stopped");
            return ErrorCode.BrokenPipe;
        }

        return ring.Value;
    }

    private int SendState(RequestCode request, uint index, uint value)
    {
        if (State != ClientState.Connected)
        {
            return ErrorCode.NotConnected;
        }

        Span<byte> payload = stackalloc byte[VringState.Size];
        new VringState(index, value).Write(payload);
        return Result(Send(request, payload));
    }

    private int BadMemory(string reason)
    {
        _troubles.BadMemory(reason);
        return ErrorCode.InvalidArgument;
    }

    private static int Result(bool sent) => sent ? 0 : ErrorCode.BrokenPipe;
}
