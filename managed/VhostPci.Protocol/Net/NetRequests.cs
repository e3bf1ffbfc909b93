// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Net;

/// <summary>The rows of <c>docs/reference/protocol.md</c> that only a network device has.</summary>
public static class NetRequests
{
    /// <summary>All that the server of a network device takes.</summary>
    public static RequestTable Table { get; } = new(
    [
        .. CommonRequests.Rows,
        RequestRow.Of<U64Payload>(RequestCode.NetSetMtu, static number => new SetMtu(number.Value)),
        RequestRow.Of<RarpPayload>(RequestCode.SendRarp, static rarp => new SendRarp(rarp)),
        RequestRow.Of<DriverState>(RequestCode.SetDriverState, static state => new SetDriverState(state)),
    ]);
}
