// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol;

/// <summary>What a request must look like on the wire: one row of the table in <c>docs/reference/protocol.md</c>.</summary>
/// <param name="MinPayload">Smallest payload in bytes.</param>
/// <param name="MaxPayload">Greatest payload in bytes.</param>
/// <param name="MinDescriptors">Fewest descriptors.</param>
/// <param name="MaxDescriptors">Most descriptors.</param>
/// <param name="ReplyPayload">Bytes of the request's own reply; 0 when it has none.</param>
public readonly record struct RequestSyntax(int MinPayload, int MaxPayload, int MinDescriptors, int MaxDescriptors, int ReplyPayload)
{
    /// <summary>Finds the row of a request.</summary>
    /// <returns>False for a number that the back-end does not take.</returns>
    public static bool TryGet(RequestCode request, out RequestSyntax syntax)
    {
        RequestSyntax? found = request switch
        {
            RequestCode.GetFeatures
                or RequestCode.GetProtocolFeatures
                or RequestCode.GetQueueNum
                or RequestCode.GetMaxMemorySlots
                or RequestCode.GetStatus => Plain(0, U64Payload.Size),
            RequestCode.SetFeatures
                or RequestCode.SetProtocolFeatures
                or RequestCode.NetSetMtu
                or RequestCode.SendRarp
                or RequestCode.SetStatus => Plain(U64Payload.Size),
            RequestCode.SetOwner
                or RequestCode.ResetOwner
                or RequestCode.ResetDevice => Plain(0),
            RequestCode.SetMemoryTable => new RequestSyntax(
                MemoryPayload.TableSize(1), MemoryPayload.TableSize(MemoryPayload.MaxRegions), 1, MemoryPayload.MaxRegions, 0),
            RequestCode.SetVringNum
                or RequestCode.SetVringBase
                or RequestCode.SetVringEnable => Plain(VringState.Size),
            RequestCode.GetVringBase => Plain(VringState.Size, VringState.Size),
            RequestCode.SetVringAddress => Plain(VringAddress.Size),
            RequestCode.SetVringKick
                or RequestCode.SetVringCall
                or RequestCode.SetVringError => new RequestSyntax(VringFile.Size, VringFile.Size, 0, 1, 0),
            RequestCode.AddMemoryRegion => new RequestSyntax(MemoryPayload.SingleSize, MemoryPayload.SingleSize, 1, 1, 0),
            RequestCode.RemoveMemoryRegion => new RequestSyntax(MemoryPayload.SingleSize, MemoryPayload.SingleSize, 0, 1, 0),
            RequestCode.SetDeviceInfo => Plain(DeviceInfo.Size),
            RequestCode.SetDriverState => Plain(DriverState.Size),
            _ => null,
        };
        syntax = found.GetValueOrDefault();
        return found is not null;
    }

    /// <summary>Whether this is a request that a back-end makes of its front-end.</summary>
    public static bool IsBackEnds(RequestCode request) => Enum.IsDefined((BackEndRequest)request);

    /// <summary>Judges a request by its header and the descriptors that came with it, before a byte of payload is read.</summary>
    public static Verdict CheckHeader(MessageHeader header, int descriptors)
    {
        if (!TryGet(header.Request, out RequestSyntax syntax))
            return Verdict.Refuse(Explain((uint)header.Request));
        if (header.PayloadSize < syntax.MinPayload || header.PayloadSize > syntax.MaxPayload)
            return Verdict.Refuse($"{header.Request} with {header.PayloadSize} bytes of payload");

        int least = syntax.MinDescriptors;
        int most = syntax.MaxDescriptors;
        if (header.Request == RequestCode.SetMemoryTable)
        {
            uint regions = header.PayloadSize - MemoryPayload.TableHeaderSize;
            if (regions % MemoryRegion.Size != 0)
                return Verdict.Refuse($"{header.Request} with {header.PayloadSize} bytes of payload");
            least = most = (int)(regions / MemoryRegion.Size);
        }

        return descriptors < least || descriptors > most
            ? Verdict.Refuse($"{header.Request} with {descriptors} descriptors")
            : Verdict.Ok;
    }

    /// <summary>Judges what only the payload can tell about the number of descriptors.</summary>
    /// <remarks>The header has passed <see cref="CheckHeader"/>; the content is for the request's own parser.</remarks>
    public static Verdict CheckPayload(MessageHeader header, ReadOnlySpan<byte> payload, int descriptors)
    {
        switch (header.Request)
        {
            case RequestCode.SetMemoryTable:
                Span<MemoryRegion> regions = stackalloc MemoryRegion[MemoryPayload.MaxRegions];
                return MemoryPayload.TryParseTable(payload, regions, out int count) && count == descriptors
                    ? Verdict.Ok
                    : Verdict.Refuse($"{header.Request} whose count does not fit its {payload.Length} bytes");

            case RequestCode.SetVringKick or RequestCode.SetVringCall or RequestCode.SetVringError:
                if (!VringFile.TryParse(payload, out VringFile file))
                    return Verdict.Refuse($"{header.Request} with unknown bits set");
                return file.HasDescriptor == (descriptors == 1)
                    ? Verdict.Ok
                    : Verdict.Refuse($"{header.Request} with {descriptors} descriptors against its own flag");

            default:
                return Verdict.Ok;
        }
    }

    /// <summary>Why a request is not taken, for those of vhost-user that somebody may expect.</summary>
    private static string Explain(uint request) => request switch
    {
        6 or 7 => $"request {request} is about the dirty log, which was not offered: an origin cannot be migrated",
        _ => $"unknown request {request}",
    };

    private static RequestSyntax Plain(int payload, int reply = 0) => new(payload, payload, 0, 0, reply);
}
