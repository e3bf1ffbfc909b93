// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Writes replies and requests to a front-end. Nothing waits: a front-end that does not read is dropped.</summary>
internal sealed class FrontEndWriter(IChannel channel, IOriginServer server, Connection connection)
{
    /// <summary>Sends a reply.</summary>
    /// <returns>False when the front-end does not read.</returns>
    internal bool TryReply(RequestCode request, ReadOnlySpan<byte> payload) => TrySend(request, MessageFlags.Reply, payload);

    /// <summary>Answers need_reply.</summary>
    /// <returns>False when the front-end does not read.</returns>
    internal bool TryAcknowledge(RequestCode request, bool success)
        => TrySend(request, MessageFlags.Reply, success ? U64Payload.Success : U64Payload.Failure);

    /// <summary>Sends a request of the extension's.</summary>
    /// <returns>False when the front-end does not read.</returns>
    internal bool TryRequest(BackEndRequest request, ulong value) => TrySend((RequestCode)request, MessageFlags.None, value);

    private bool TrySend(RequestCode request, MessageFlags flags, ulong value)
    {
        Span<byte> payload = stackalloc byte[U64Payload.Size];
        new U64Payload(value).Write(payload);
        return TrySend(request, flags, payload);
    }

    private bool TrySend(RequestCode request, MessageFlags flags, ReadOnlySpan<byte> payload)
    {
        Span<byte> buffer = stackalloc byte[MessageHeader.Size + U64Payload.Size];
        ReadOnlySpan<byte> message = MessageWriter.Write(buffer, request, flags, payload);
        server.Dump?.Write(connection.Id, connection.Peer.Pid, fromOrigin: false, 0, message[..MessageHeader.Size], payload);
        return channel.TrySend(message, [], 0);
    }
}
