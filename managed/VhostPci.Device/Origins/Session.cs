// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The back-end's half of one vhost-user session: hands each request to the class that handles it.</summary>
/// <remarks>
/// Each request is judged as a whole before it changes anything, with all that follows from it: a start that it leads to, a device that
/// it needs. After a refusal the session is what it was; only when the host fails, as with a mapping, can it be in between. The
/// connection ends in both cases, since the front-end believes something else than the back-end by then.
/// </remarks>
internal sealed class Session : IMessageTable<Request>, IDisposable
{
    private readonly DeviceClaim _claim;
    private readonly Agreement _agreement;
    private readonly RingTable _rings;
    private readonly Negotiation _negotiation;
    private readonly MemoryRequests _memoryRequests;
    private readonly RingRequests _ringRequests;

    internal Session(DeviceClaim claim)
    {
        _claim = claim;
        _agreement = new Agreement(claim);
        _rings = new RingTable(claim);
        Runner = new RingRunner(claim, _agreement, Memory, _rings);
        _negotiation = new Negotiation(claim, _agreement, Memory, _rings, Runner);
        _memoryRequests = new MemoryRequests(claim, _agreement, Memory, _rings, Runner);
        _ringRequests = new RingRequests(claim, _agreement, Memory, _rings, Runner);
    }

    /// <summary>What kind of device the origin has.</summary>
    internal DeviceClass Class => _agreement.Class;

    internal OriginMemory Memory { get; } = new();

    internal RingRunner Runner { get; }

    /// <summary>What is the device class's of it.</summary>
    internal OriginPart Part => _agreement.Part;

    /// <summary>What the origin's driver acknowledged.</summary>
    internal ulong Features => _agreement.Features;

    /// <summary>The same without what the driver has switched off since.</summary>
    internal ulong EffectiveFeatures => Part.MakeEffective(Features);

    internal ulong ProtocolFeatures => _agreement.ProtocolFeatures;

    /// <summary>What GET_FEATURES has answered.</summary>
    internal ulong OfferedFeatures => _agreement.Offered;

    /// <summary>Whether the front-end understands requests of ours.</summary>
    internal bool IsExtended => _agreement.IsExtended;

    internal DeviceInfo? Info => _agreement.Info;

    internal int RingCount => _rings.Count;

    internal Ring GetRing(int index) => _rings[index];

    /// <summary>For people: where both drivers are in a ring.</summary>
    internal (ushort Avail, ushort Used) ReadIndices(Ring ring) => RingPosition.Read(Memory, ring, _agreement.IsPacked);

    /// <summary>Acts on a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="files">What came along.</param>
    /// <param name="reply">Where a reply's payload goes.</param>
    /// <param name="replySize">Bytes of the reply, 0 without one.</param>
    internal Verdict Handle(Request request, IMessageFiles files, Span<byte> reply, out int replySize)
    {
        replySize = 0;
        if (Answer(request) is { } number)
        {
            new U64Payload(number).Write(reply);
            replySize = U64Payload.Size;
            return Verdict.Ok;
        }

        Verdict verdict = request is GetVringBase stop ? Stop(stop.Ring, reply, out replySize) : Act(request, files);
        return verdict.IsOk ? Runner.Update() : verdict;
    }

    /// <summary>The device is plugged: what was said about the origin before goes into it.</summary>
    internal Verdict OnPlugged(IMirrorDevice device)
    {
        _agreement.Introduce(device);
        return Runner.Update();
    }

    public void Dispose()
    {
        _rings.CloseFiles();
        Memory.Dispose();
        Part.Release();
    }

    Verdict IMessageTable<Request>.CheckHeader(MessageHeader header, int descriptors) => Class.Requests.CheckHeader(header, descriptors);

    Verdict IMessageTable<Request>.Parse(MessageHeader header, ReadOnlySpan<byte> payload, int descriptors, out Request? message)
        => Class.Requests.Parse(header, payload, descriptors, out message);

    private ulong? Answer(Request request) => request switch
    {
        GetFeatures => _negotiation.OfferFeatures(),
        GetProtocolFeatures => Protocol.ProtocolFeatures.Offered,
        GetQueueNum => (ulong)_claim.MostPairs,
        GetMaxMemorySlots => MemoryPayload.MaxRegions,
        GetStatus => _agreement.Status,
        _ => null,
    };

    private Verdict Act(Request request, IMessageFiles files) => request switch
    {
        SetOwner => Verdict.Ok,
        ResetRings => Runner.Reset(keepPositions: false),
        SetFeatures set => _negotiation.SetFeatures(set.Features),
        SetProtocolFeatures set => _negotiation.SetProtocolFeatures(set.Features),
        SetStatus set => _negotiation.SetStatus(set.Status),
        SetDeviceInfo set => _negotiation.SetDeviceInfo(set.Info),
        SetMemoryTable set => _memoryRequests.SetTable(set.Regions.Span, files),
        AddMemoryRegion add => _memoryRequests.Add(add.Region, files),
        RemoveMemoryRegion remove => _memoryRequests.Remove(remove.Region),
        SetVringKick set => _ringRequests.SetFile(set.File, RingEndpoint.Kick, files),
        SetVringCall set => _ringRequests.SetFile(set.File, RingEndpoint.Call, files),
        SetVringError set => _ringRequests.SetFile(set.File, RingEndpoint.Error, files),
        SetVringAddress set => _ringRequests.SetAddress(set.Address),
        SetVringNum set => _ringRequests.SetSize(set.Ring, set.Entries),
        SetVringBase set => _ringRequests.SetBase(set.Ring, set.Position),
        SetVringEnable set => _ringRequests.Enable(set.Ring, set.Value),
        _ => HandleByClass(request),
    };

    private Verdict HandleByClass(Request request)
    {
        Verdict verdict = Part.Handle(request, _agreement, out bool changed);
        if (verdict.IsOk && changed)
        {
            _claim.Device?.ChangePart();
        }

        return verdict;
    }

    private Verdict Stop(uint ring, Span<byte> reply, out int replySize)
    {
        Verdict verdict = _ringRequests.Stop(ring, out uint position);
        new VringState(ring, position).Write(reply);
        replySize = verdict.IsOk ? VringState.Size : 0;
        return verdict;
    }
}
