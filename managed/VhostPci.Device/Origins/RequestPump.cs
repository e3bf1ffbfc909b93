// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Reads a connection's requests, has each handled and answers it.</summary>
internal sealed class RequestPump(IHost host, IOriginServer server, Connection connection, MessageSource<Request> source, FrontEndWriter writer, PeerDeadline deadline, DropGuard guard)
{
    private readonly byte[] _reply = new byte[U64Payload.Size];

    /// <summary>Messages received.</summary>
    internal ulong Messages { get; private set; }

    /// <summary>Takes what has come, up to one turn's share; the watch is level-triggered, so the rest is not lost.</summary>
    internal void Take()
    {
        for (int i = 0; i < Budgets.MessagesPerTurn && !connection.IsClosed; i++)
        {
            if (!deadline.TryListen())
            {
                return;
            }

            switch (source.Read(out string reason))
            {
                case ReadStatus.Message:
                    Handle();
                    break;
                case ReadStatus.Pending:
                    deadline.Update(source.IsInMessage, Messages);
                    return;
                case ReadStatus.Closed:
                    connection.Close();
                    return;
                default:
                    connection.Drop(reason);
                    return;
            }
        }

        if (!connection.IsClosed)
        {
            deadline.Update(source.IsInMessage, Messages);
        }
    }

    private void Handle()
    {
        Messages++;
        server.OnMessage();
        MessageHeader header = source.Header;
        host.Trace(TraceEvent.Message, connection.Id, (uint)header.Request, header.PayloadSize);
        if (server.Dump is { } dump)
        {
            Span<byte> wire = stackalloc byte[MessageHeader.Size];
            header.Write(wire);
            dump.Write(connection.Id, connection.Peer.Pid, fromOrigin: true, source.FileCount, wire, source.Payload);
        }


        int replySize = 0;
        Verdict verdict = guard.Act(() => connection.Session.Handle(source.Message, source, _reply, out replySize));
        bool isAnswered = TryAnswer(header, verdict, replySize);
        source.Next();
        guard.Settle(verdict.IsOk && !guard.HasFailed && !isAnswered ? Verdict.Refuse("it does not read its replies") : verdict);
    }

    /// <summary>Sends the request's own reply, or what REPLY_ACK asks for.</summary>
    private bool TryAnswer(MessageHeader header, Verdict verdict, int replySize)
    {
        if (replySize != 0 && verdict.IsOk)
        {
            return writer.TryReply(header.Request, _reply.AsSpan(0, replySize));
        }

        return !header.NeedsReply || (connection.Session.ProtocolFeatures & ProtocolFeatures.ReplyAck) == 0
            || writer.TryAcknowledge(header.Request, verdict.IsOk);
    }
}
