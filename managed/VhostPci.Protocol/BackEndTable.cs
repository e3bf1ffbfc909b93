// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>What a front-end takes: the one place where answers, and a back-end's requests, are read.</summary>
public sealed class BackEndTable : IMessageTable<BackEndMessage>
{
    private BackEndTable()
    {
    }

    /// <summary>The only one.</summary>
    public static BackEndTable Instance { get; } = new();

    /// <inheritdoc/>
    public Verdict CheckHeader(MessageHeader header, int descriptors)
    {
        if ((header.Flags & MessageFlags.Reply) == 0)
        {
            if (!Enum.IsDefined((BackEndRequest)header.Request))
                return Verdict.Refuse("a request where a reply belongs");
            if (header.PayloadSize != U64Payload.Size)
                return Verdict.Refuse($"{header.Request} with {header.PayloadSize} bytes of payload");
        }

        return descriptors == 0 ? Verdict.Ok : Verdict.Refuse($"{descriptors} descriptors with a reply");
    }

    /// <inheritdoc/>
    public Verdict Parse(MessageHeader header, ReadOnlySpan<byte> payload, int descriptors, out BackEndMessage? message)
    {
        bool isReply = (header.Flags & MessageFlags.Reply) != 0;
        message = (header.Request, isReply) switch
        {
            ((RequestCode)BackEndRequest.SetLink, false) when U64Payload.TryParse(payload, out U64Payload up) => new SetLink(up.Value != 0),
            ((RequestCode)BackEndRequest.AcceptFeatures, false) when U64Payload.TryParse(payload, out U64Payload accepted) => new AcceptFeatures(accepted.Value),
            (RequestCode.GetFeatures or RequestCode.GetProtocolFeatures or RequestCode.GetQueueNum, true) when U64Payload.TryParse(payload, out U64Payload value)
                => new NumberReply(header.Request, value.Value),
            (RequestCode.GetVringBase, true) when VringState.TryParse(payload, out VringState ring) => new RingReply(ring),
            _ => new UnknownReply(header.Request),
        };
        return Verdict.Ok;
    }
}
