// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What a client may believe of its server: the handshake of docs/reference/protocol.md, "Sequence", and nothing else.</summary>
internal sealed class ClientModel
{
    internal const int QueuePairs = 2;

    private static readonly RequestCode[] Handshake = [RequestCode.GetFeatures, RequestCode.GetProtocolFeatures, RequestCode.GetQueueNum];

    /// <summary>Milliseconds that a client waits in one go, and how many without waiting give one back: ADR 0025.</summary>
    private const int Patience = 2000;
    private const int SendPatience = 1000;
    private const int Refund = 20;

    private readonly List<byte> _bytes = [];
    private int _files;
    private int _stage;
    private bool _unusable;

    // Milliseconds / Refund that were waited and not given back, and when that was so.
    private long _waited;
    private long _waitedAt;

    /// <summary>Whether there is a connection that the client has not given up.</summary>
    internal bool IsConnected { get; private set; }

    /// <summary>Whether the device may be started.</summary>
    internal bool IsUsable => IsConnected && _stage == Handshake.Length;

    internal bool IsInHandshake => IsConnected && !_unusable && _stage < Handshake.Length;

    /// <summary>The virtio-net's link; a loss takes it down a moment later.</summary>
    internal bool Link { get; private set; }

    /// <summary>Connections that the client ended by itself.</summary>
    internal int Losses { get; private set; }

    internal long LinksUp { get; private set; }

    /// <summary>Waits that ended with an answer, right or wrong, and those that did not.</summary>
    internal long LateAnswers { get; private set; }

    internal long TimesUp { get; private set; }

    internal ulong ServerFeatures { get; private set; }

    internal ulong Acknowledged { get; set; }

    /// <summary>What an answer would be to.</summary>
    internal RequestCode Asked => IsInHandshake ? Handshake[_stage] : RequestCode.GetVringBase;

    internal void Connect()
    {
        _bytes.Clear();
        _files = 0;
        _stage = 0;
        _unusable = false;
        IsConnected = true;
        Link = false;
    }

    /// <summary>The chardev says that the connection is gone.</summary>
    internal void Disconnect()
    {
        IsConnected = false;
        Link = false;
    }

    internal void Lose()
    {
        if (IsConnected)
        {
            IsConnected = false;
            Losses++;
        }
    }

    /// <summary>The main loop has had its turn after a loss.</summary>
    internal void Settle() => Link &= IsConnected;

    /// <summary>How much longer the client can be kept waiting: it does not matter by how many rings, messages or connections.</summary>
    internal long Left(long now)
    {
        _waited = Math.Max(0, _waited - (now - _waitedAt));
        _waitedAt = now;
        return ((Patience * Refund) - _waited) / Refund;
    }

    /// <summary>The same for one message for which there is no room.</summary>
    internal long LeftToSend(long now) => Math.Min(SendPatience, Left(now));

    /// <summary>The client has waited until now.</summary>
    internal void Wait(long milliseconds, long now, bool inVain)
    {
        Assert.InRange(milliseconds, 0, Left(now - milliseconds));
        _waited += milliseconds * Refund;
        _waitedAt = now;
        LateAnswers += milliseconds != 0 && !inVain ? 1 : 0;
        TimesUp += inVain ? 1 : 0;
    }

    /// <summary>Bytes that the server has sent at once, outside of a wait for an answer.</summary>
    internal void Take(ReadOnlySpan<byte> bytes, int files)
    {
        foreach (byte part in bytes)
        {
            if (!IsConnected)
            {
                return;
            }

            _ = TakeByte(part, ref files, out RequestCode request, out byte[]? payload);
            if (payload is not null)
            {
                TakeReply(request, payload);
            }
        }
    }

    /// <summary>The same, while the client waits for the answer to GET_VRING_BASE.</summary>
    /// <returns>Its result; null while it still waits.</returns>
    internal long? TakeBase(ReadOnlySpan<byte> bytes, int files, uint index, out int taken)
    {
        taken = 0;
        foreach (byte part in bytes)
        {
            taken++;
            if (!TakeByte(part, ref files, out RequestCode request, out byte[]? payload))
            {
                return -32;
            }

            if (payload is null)
            {
                continue;
            }

            if (request == RequestCode.GetVringBase && payload.Length == 8
                && BinaryPrimitives.ReadUInt32LittleEndian(payload) == index
                && BinaryPrimitives.ReadUInt32LittleEndian(payload.AsSpan(4)) is var position
                && (position <= 0xffff || (Acknowledged & VirtioFeatures.RingPacked) != 0))
            {
                return position;
            }

            Lose();
            return -32;
        }

        return null;
    }

    /// <returns>False when the connection is lost for it.</returns>
    private bool TakeByte(byte part, ref int files, out RequestCode request, out byte[]? payload)
    {
        request = RequestCode.None;
        payload = null;
        bool late = files != 0 && _bytes.Count != 0;
        _files += files;
        files = 0;
        _bytes.Add(part);
        if (late || _files > 8)
        {
            Lose();
            return false;
        }

        if (_bytes.Count < 12)
        {
            return true;
        }

        Span<byte> header = [.. _bytes[..12]];
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        if ((flags & ~8U) != 5 || size > 4096 || _files != 0)
        {
            Lose();
            return false;
        }

        if (_bytes.Count == 12 + size)
        {
            request = (RequestCode)BinaryPrimitives.ReadUInt32LittleEndian(header);
            payload = [.. _bytes[12..]];
            _bytes.Clear();
        }

        return true;
    }

    private void TakeReply(RequestCode request, byte[] payload)
    {
        if (!IsInHandshake || request != Handshake[_stage] || payload.Length != 8)
        {
            Lose();
            return;
        }

        ulong value = BinaryPrimitives.ReadUInt64LittleEndian(payload);
        bool enough = _stage switch
        {
            0 => (value & VirtioFeatures.VhostUserProtocolFeatures) != 0,
            1 => (value & ProtocolFeatures.VhostPci) != 0,
            _ => value >= QueuePairs,
        };
        ServerFeatures = _stage == 0 ? value : ServerFeatures;
        _unusable = !enough;
        _stage += enough ? 1 : 0;
        if (_stage == Handshake.Length)
        {
            LinksUp++;
            Link = true;
        }
    }
}
