// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>The rows of <c>docs/reference/protocol.md</c> that every kind of device has.</summary>
public static class CommonRequests
{
    /// <summary>The rows.</summary>
    public static IReadOnlyList<RequestRow> Rows { get; } =
    [
        RequestRow.Question(RequestCode.GetFeatures, new GetFeatures()),
        RequestRow.Of<U64Payload>(RequestCode.SetFeatures, static number => new SetFeatures(number.Value)),
        RequestRow.Question(RequestCode.GetProtocolFeatures, new GetProtocolFeatures()),
        RequestRow.Of<U64Payload>(RequestCode.SetProtocolFeatures, static number => new SetProtocolFeatures(number.Value)),
        RequestRow.Empty(RequestCode.SetOwner, new SetOwner()),
        RequestRow.Empty(RequestCode.ResetOwner, new ResetRings()),
        RequestRow.Empty(RequestCode.ResetDevice, new ResetRings()),
        RequestRow.Question(RequestCode.GetQueueNum, new GetQueueNum()),
        RequestRow.Question(RequestCode.GetMaxMemorySlots, new GetMaxMemorySlots()),
        RequestRow.Question(RequestCode.GetStatus, new GetStatus()),
        RequestRow.Of<U64Payload>(RequestCode.SetStatus, static number => new SetStatus(number.Value)),
        RequestRow.Table(RequestCode.SetMemoryTable, static regions => new SetMemoryTable(regions)),
        RequestRow.Of<RegionPayload>(RequestCode.AddMemoryRegion, static payload => new AddMemoryRegion(payload.Region), descriptors: (1, 1)),
        RequestRow.Of<RegionPayload>(RequestCode.RemoveMemoryRegion, static payload => new RemoveMemoryRegion(payload.Region), descriptors: (0, 1)),
        RequestRow.Of<VringState>(RequestCode.SetVringNum, static ring => new SetVringNum(ring.Index, ring.Value)),
        RequestRow.Of<VringState>(RequestCode.SetVringBase, static ring => new SetVringBase(ring.Index, ring.Value)),
        RequestRow.Of<VringState>(RequestCode.GetVringBase, static ring => new GetVringBase(ring.Index), reply: VringState.Size),
        RequestRow.Of<VringState>(RequestCode.SetVringEnable, static ring => new SetVringEnable(ring.Index, ring.Value)),
        RequestRow.Of<VringAddress>(RequestCode.SetVringAddress, static address => new SetVringAddress(address)),
        RequestRow.File(RequestCode.SetVringKick, static file => new SetVringKick(file)),
        RequestRow.File(RequestCode.SetVringCall, static file => new SetVringCall(file)),
        RequestRow.File(RequestCode.SetVringError, static file => new SetVringError(file)),
        RequestRow.Of<DeviceInfo>(RequestCode.SetDeviceInfo, static info => new SetDeviceInfo(info)),
    ];
}
