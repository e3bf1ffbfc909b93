// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Origins;

/// <summary>The back-end's state of one vhost-user session, and what each request does to it. Syntax has been checked before.</summary>
/// <remarks>
/// Each request is judged as a whole before it changes anything, with all that follows from it: a start that it leads to, a device that
/// it needs. After a refusal the session is what it was; only when the host fails, as with a mapping, can it be in between. The
/// connection ends in both cases, since the front-end believes something else than the back-end by then.
/// </remarks>
internal sealed partial class Session(ISessionOwner owner) : IDisposable
{
    private const ushort MaximumMtu = ushort.MaxValue;

    private readonly RingTable _rings = new(owner);
    private bool _featuresSet;
    private bool _started;
    private ulong _status;
    private ushort _mtu;

    internal OriginMemory Memory { get; } = new();

    /// <summary>What the origin's driver acknowledged.</summary>
    internal ulong Features { get; private set; }

    internal ulong ProtocolFeatures { get; private set; }

    /// <summary>What GET_FEATURES has answered.</summary>
    internal ulong OfferedFeatures { get; private set; } = VirtioNetFeatures.Offered;

    /// <summary>Whether the front-end understands requests of ours, and so can negotiate again.</summary>
    internal bool IsExtended => (ProtocolFeatures & Protocol.ProtocolFeatures.VhostPci) != 0;

    internal DeviceInfo? Info { get; private set; }

    /// <summary>Bytes; 0 when not known.</summary>
    internal ushort Mtu => _mtu;

    internal int RingCount => _rings.Count;

    internal Ring GetRing(int index) => _rings[index];

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
            U64Payload.Write(reply, number);
            replySize = U64Payload.Size;
            return Verdict.Ok;
        }

        Verdict verdict = request is GetVringBase stop ? StopRing(stop.Ring, reply, out replySize) : Act(request, files);
        return verdict.IsOk ? Update() : verdict;
    }

    /// <summary>Makes the device's link what the rings allow by now: up while the first pair runs, with all pairs that run.</summary>
    internal Verdict Update()
    {
        if (owner.Device is not { } device)
        {
            return Verdict.Ok;
        }

        bool run = IsRunnable(0);
        if (_started && (!run || HasStopped()))
        {
            // The window is one: a pair cannot be taken out of it alone.
            Halt();
        }

        return run ? UseRunnable(device) : Verdict.Ok;
    }

    /// <summary>The device is plugged: what was said about the origin before goes into it.</summary>
    internal Verdict OnPlugged(MirrorDevice device)
    {
        Describe(device);
        return Update();
    }

    public void Dispose()
    {
        _rings.CloseFiles();
        Memory.Dispose();
    }

    private ulong? Answer(Request request) => request switch
    {
        GetFeatures => Offer(),
        GetProtocolFeatures => Protocol.ProtocolFeatures.Offered,
        GetQueueNum => (ulong)owner.MostPairs,
        GetMaxMemorySlots => MemoryPayload.MaxRegions,
        GetStatus => _status,
        _ => null,
    };

    private ulong Offer() => OfferedFeatures = VirtioNetFeatures.Offered & owner.AcceptedFeatures;

    private Verdict Act(Request request, IMessageFiles files) => request switch
    {
        SetOwner => Verdict.Ok,
        ResetRings => Reset(keepPositions: false),
        SetFeatures set => SetFeatures(set.Features),
        SetProtocolFeatures set => SetProtocolFeatures(set.Features),
        SetStatus set => SetStatus(set.Status),
        SetMtu set => SetMtu(set.Mtu),
        SendRarp send => SendRarp(send.Rarp),
        SetDeviceInfo set => SetDeviceInfo(set.Info),
        SetDriverState set => SetDriverState(set.State),
        SetMemoryTable set => SetMemoryTable(set.Regions.Span, files),
        AddMemoryRegion add => AddMemoryRegion(add.Region, files),
        RemoveMemoryRegion remove => RemoveMemoryRegion(remove.Region),
        SetVringKick set => SetVringFile(set.File, RingEndpoint.Kick, files),
        SetVringCall set => SetVringFile(set.File, RingEndpoint.Call, files),
        SetVringError set => SetVringFile(set.File, RingEndpoint.Error, files),
        SetVringAddress set => SetVringAddress(set.Address),
        SetVringNum set => SetVringNum(set.Ring, set.Entries),
        SetVringBase set => SetVringBase(set.Ring, set.Position),
        SetVringEnable set => SetVringEnable(set.Ring, set.Value),
        _ => throw new InvalidOperationException($"nobody handles {request.GetType().Name}"),
    };

    private Verdict SetFeatures(ulong features)
    {
        ulong unknown = features & ~VirtioNetFeatures.Offered;
        if ((unknown & VirtioFeatures.LogAll) != 0)
        {
            return Verdict.Refuse("the dirty log (feature bit 26) was not offered: an origin cannot be migrated");
        }

        if (unknown != 0)
        {
            return Verdict.Refuse($"feature bits 0x{unknown:x} were not offered");
        }

        if ((features & VirtioFeatures.RingPacked) != 0 && (features & VirtioFeatures.Version1) == 0)
        {
            return Verdict.Refuse("packed rings without VERSION_1");
        }

        if (_started && features != Features)
        {
            return Verdict.Refuse("features must not change while a ring runs");
        }

        (ulong before, bool set) = (Features, _featuresSet);
        Features = features;
        _featuresSet = true;
        Verdict verdict = CheckStart(Memory.Table, all: false);
        if (!verdict.IsOk)
        {
            Features = before;
            _featuresSet = set;
        }
        else if (!_started)
        {
            // A driver begins with all on.
            _offloads = VirtioNetFeatures.GuestOffloads;
        }

        return verdict;
    }

    private Verdict SetProtocolFeatures(ulong features)
    {
        ulong unknown = features & ~Protocol.ProtocolFeatures.Offered;
        if (unknown != 0)
        {
            return Verdict.Refuse($"protocol feature bits 0x{unknown:x} were not offered");
        }

        ProtocolFeatures = features;
        return Verdict.Ok;
    }

    private Verdict SetStatus(ulong status)
    {
        if (status > byte.MaxValue)
        {
            return Verdict.Refuse($"status 0x{status:x} is no virtio status");
        }

        _status = status;
        return status == 0 ? Reset(keepPositions: true) : Verdict.Ok;
    }

    private Verdict SetMtu(ulong mtu)
    {
        if (mtu is < DeviceInfo.MinMtu or > MaximumMtu)
        {
            return Verdict.Refuse($"an MTU of {mtu}");
        }

        if (mtu != _mtu)
        {
            _mtu = (ushort)mtu;
            Describe(owner.Device);
        }

        return Verdict.Ok;
    }

    private Verdict SendRarp(RarpPayload rarp)
    {
        if ((ProtocolFeatures & Protocol.ProtocolFeatures.Rarp) == 0)
        {
            return Verdict.Refuse("SEND_RARP without its protocol feature");
        }

        Verdict verdict = rarp.Check();
        verdict = verdict.IsOk ? CheckAddress(rarp.Mac) : verdict;
        if (verdict.IsOk)
        {
            owner.Device?.Announce(rarp.Mac);
        }

        return verdict;
    }

    private Verdict SetDeviceInfo(DeviceInfo info)
    {
        if (!IsExtended)
        {
            return Verdict.Refuse("device info without its protocol feature");
        }

        if (Info is not null)
        {
            return Verdict.Refuse("device info came twice");
        }

        int rings = _rings.Count;
        Verdict verdict = info.Check();
        verdict = verdict.IsOk ? owner.CheckKind(info.DeviceId) : verdict;
        verdict = verdict.IsOk ? CheckAddress(info.Mac) : verdict;
        if (verdict.IsOk)
        {
            verdict = _rings.Declare(info.QueuePairs);
        }

        if (!verdict.IsOk)
        {
            return verdict;
        }

        // Name and number of rings decide which device it can have.
        Info = info;
        verdict = owner.CheckDevice(info.MemoryEnd, out _);
        if (!verdict.IsOk)
        {
            Info = null;
            _rings.Truncate(rings);
            return verdict;
        }

        if (info.Mtu != 0)
        {
            _mtu = info.Mtu;
        }

        if (owner.Device is { } device)
        {
            Describe(device);
        }

        return RequireDevice(info.MemoryEnd, out _);
    }

    // The mirror could reach only one of the two, and its interface is there already.
    private Verdict CheckAddress(MacAddress mac) => owner.IsMirrorAddress(mac)
        ? Verdict.Refuse($"{mac} is the address of an interface of the mirror: give the origin another mac=")
        : Verdict.Ok;

    private void Describe(MirrorDevice? device) => device?.Describe(Info?.Mac ?? default, Mac, _mtu);

    /// <summary>Takes the window away; the rings can start again when they are complete.</summary>
    internal void Halt()
    {
        if (_started)
        {
            _started = false;
            _rings.Release();
            owner.Device?.Stop();
        }
    }

    // The memory table stays: a front-end with memory slots sends what has changed since the last time, and a reset changes none
    // of it. QEMU resets the status before it asks for the positions.
    private Verdict Reset(bool keepPositions)
    {
        Halt();
        _rings.Reset(keepPositions);
        return Verdict.Ok;
    }

    private Verdict RequireDevice(ulong memoryEnd, out ulong windowSize)
    {
        // It is plugged with all the queues that it will ever have.
        _rings.Fix();
        return owner.RequireDevice(memoryEnd, out windowSize);
    }

    private Verdict UseRunnable(MirrorDevice device)
    {
        bool more = false;
        for (int pair = 0; pair < _rings.Pairs; pair++)
        {
            Ring first = _rings[2 * pair];
            Ring second = _rings[(2 * pair) + 1];
            if (first.IsInUse || !IsRunnable(pair))
            {
                continue;
            }

            Verdict verdict = Place(first, Memory.Table, out VringAddress firstPlaced);
            if (!verdict.IsOk)
            {
                return verdict;
            }

            verdict = Place(second, Memory.Table, out VringAddress secondPlaced);
            if (!verdict.IsOk)
            {
                return verdict;
            }

            first.Placement = firstPlaced;
            second.Placement = secondPlaced;
            first.IsInUse = true;
            second.IsInUse = true;
            more = true;
        }

        if (!_started)
        {
            Verdict usable = CheckFeatures(device);
            if (!usable.IsOk)
            {
                return usable;
            }

            _started = true;
            device.Start();
        }
        else if (more)
        {
            device.Extend();
        }

        return Verdict.Ok;
    }

    /// <summary>Refuses an origin whose features the mirror's driver does not accept and that cannot be told so.</summary>
    internal Verdict CheckFeatures(MirrorDevice device)
        => IsExtended || device.Accepts(Features)
            ? Verdict.Ok
            : Verdict.Refuse($"the mirror's driver does not accept {FeatureNames.Format(Features & ~device.Accepted)}, and this front-end cannot "
                + "negotiate again while it is connected: restart the origin, which will be offered less");

    /// <summary>Whether all pairs that would now start can be shown: what would make a start impossible is refused before it changes anything.</summary>
    /// <param name="memory">The table that there is, or would be.</param>
    /// <param name="all">Whether those that run would be started again as well.</param>
    private Verdict CheckStart(MemoryTable memory, bool all)
    {
        if (!IsRunnable(0, memory))
        {
            return Verdict.Ok;
        }

        for (int index = 0; index < _rings.Count; index++)
        {
            Ring ring = _rings[index];
            if ((ring.IsInUse && !all) || !IsRunnable(index / 2, memory))
            {
                continue;
            }

            Verdict verdict = Place(ring, memory, out _);
            if (!verdict.IsOk)
            {
                return verdict;
            }
        }

        return owner.Device is { } device && (all || !_started) ? CheckFeatures(device) : Verdict.Ok;
    }

    private bool HasStopped()
    {
        for (int pair = 0; pair < _rings.Pairs; pair++)
        {
            if (_rings[2 * pair].IsInUse && !IsRunnable(pair))
            {
                return true;
            }
        }

        return false;
    }

    private bool IsRunnable(int pair) => IsRunnable(pair, Memory.Table);

    private bool IsRunnable(int pair, MemoryTable memory) => memory.Count != 0 && IsRunnable(_rings[2 * pair]) && IsRunnable(_rings[(2 * pair) + 1]);

    private bool IsRunnable(Ring ring)
        => _featuresSet
        && ring.IsComplete
        && (ring.IsEnabled || (Features & VirtioFeatures.VhostUserProtocolFeatures) == 0);
}
