// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>Stops a ring: waits, a bounded time, until the mirror cannot touch it any more, and finds where it stands.</summary>
internal sealed class RingStop(ClientConnection connection, ClientSession session, ServerChannel channel)
{
    /// <summary>Asks the server to stop a ring.</summary>
    /// <returns>What the server says of its position, or -errno.</returns>
    internal long Stop(uint index)
    {
        if (!session.IsConnected)
        {
            return -LinuxError.ENOTCONN;
        }

        if (!channel.Send(RequestCode.GetVringBase, new VringState(index, 0)))
        {
            return -LinuxError.EPIPE;
        }

        long start = channel.StartWait();
        long result = AwaitReply(index, start);
        channel.EndWait(start);
        return result;
    }

    /// <summary>Where a ring that has stopped stands, read from our own memory: what the server says may be a lie, or nothing.</summary>
    internal uint FindPosition(Span<byte> table, ReadOnlySpan<byte> device)
    {
        if (!session.IsPacked)
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

    private long AwaitReply(uint index, long start)
    {
        while (true)
        {
            switch (channel.Read(out BackEndMessage? message, out _, out string reason))
            {
                case ReadStatus.Message when connection.TryKeepForLater(message!):
                    break;
                case ReadStatus.Message:
                    return TakeReply(message!, index);
                case ReadStatus.Closed:
                    connection.OnLost($"it closed the connection while a ring was being stopped{session.Doubts}");
                    return -LinuxError.EPIPE;
                case ReadStatus.Invalid:
                    connection.OnLost(reason);
                    return -LinuxError.EPIPE;
            }

            if (!channel.WaitReadable(start))
            {
                connection.OnLost($"it did not stop ring {index} in time: a stop of all rings may take {Budgets.ServerWait / 1000} s");
                return -LinuxError.ETIMEDOUT;
            }
        }
    }

    private long TakeReply(BackEndMessage message, uint index)
    {
        if (message is RingReply { Ring: var ring } && ring.Index == index && (session.IsPacked || ring.Value <= ushort.MaxValue))
        {
            return ring.Value;
        }

        connection.OnLost("unexpected reply while a ring was being stopped");
        return -LinuxError.EPIPE;
    }
}
