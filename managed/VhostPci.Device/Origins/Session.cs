// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The back-end's state of one vhost-user session, and what each request does to it. Syntax has been checked before.</summary>
/// <remarks>
/// Each request is judged as a whole before it changes anything, with all that follows from it: a start that it leads to, a device that
/// it needs. After a refusal the session is what it was; only when the host fails, as with a mapping, can it be in between. The
/// connection ends in both cases, since the front-end believes something else than the back-end by then.
/// </remarks>
internal sealed partial class Session(ISessionOwner owner) : IClassSession, IMessageTable<Request>, IDisposable
{
    private RingTable _rings = new(owner, owner.DefaultClass.RingsPerGroup);
    private bool _started;
    private ulong _status;

    internal OriginMemory Memory { get; } = new();

    /// <summary>What kind of device the origin has.</summary>
    internal DeviceClass Class { get; private set; } = owner.DefaultClass;

    /// <summary>What is the class's of it.</summary>
    internal OriginPart Part { get; private set; } = owner.DefaultClass.CreateOriginPart();

    /// <summary>What the origin's driver acknowledged.</summary>
    public ulong Features { get; private set; }

    /// <summary>The same without what the driver has switched off since.</summary>
    internal ulong EffectiveFeatures => Part.MakeEffective(Features);

    public bool HasFeatures { get; private set; }

    public ulong ProtocolFeatures { get; private set; }

    public DevicePart? DevicePart => owner.Device?.Part;

    /// <summary>What GET_FEATURES has answered.</summary>
    internal ulong OfferedFeatures { get; private set; } = owner.DefaultClass.Offered;

    /// <summary>Whether the front-end understands requests of ours, and so can negotiate again.</summary>
    internal bool IsExtended => (ProtocolFeatures & Protocol.ProtocolFeatures.VhostPci) != 0;

    internal DeviceInfo? Info { get; private set; }

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

    /// <summary>Makes the device's link what the rings allow by now: up while the first group of rings runs, with all groups that run.</summary>
    internal Verdict Update()
    {
        if (owner.Device is not { } device)
        {
            return Verdict.Ok;
        }

        bool run = IsRunnable(0);
        if (_started && (!run || HasStopped()))
        {
            // The window is one: a group cannot be taken out of it alone.
            Halt();
        }

        return run ? UseRunnable(device) : Verdict.Ok;
    }

    /// <summary>The device is plugged: what was said about the origin before goes into it.</summary>
    internal Verdict OnPlugged(IMirrorDevice device)
    {
        Part.Introduce(device.Part);
        device.ChangePart();
        return Update();
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
        GetFeatures => Offer(),
        GetProtocolFeatures => Protocol.ProtocolFeatures.Offered,
        GetQueueNum => (ulong)owner.MostPairs,
        GetMaxMemorySlots => MemoryPayload.MaxRegions,
        GetStatus => _status,
        _ => null,
    };

    private ulong Offer() => OfferedFeatures = Class.Offered & owner.GetAccepted(Class);

    private Verdict Act(Request request, IMessageFiles files) => request switch
    {
        SetOwner => Verdict.Ok,
        ResetRings => Reset(keepPositions: false),
        SetFeatures set => SetFeatures(set.Features),
        SetProtocolFeatures set => SetProtocolFeatures(set.Features),
        SetStatus set => SetStatus(set.Status),
        SetDeviceInfo set => SetDeviceInfo(set.Info),
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
        _ => HandleByClass(request),
    };

    private Verdict SetFeatures(ulong features)
    {
        ulong unknown = features & ~Class.Offered;
        if ((unknown & VirtioFeatures.LogAll) != 0)
        {
            return Verdict.Refuse("the dirty log (feature bit 26) was not offered: an origin cannot be migrated");
        }

        if (unknown != 0)
        {
            return Verdict.Refuse($"feature bits 0x{unknown:x} were not offered");
        }

        ulong missing = Class.Required & ~features;
        if (missing != 0)
        {
            return Verdict.Refuse($"a driver without {Class.Format(missing)} cannot be served");
        }

        if ((features & VirtioFeatures.RingPacked) != 0 && (features & VirtioFeatures.Version1) == 0)
        {
            return Verdict.Refuse("packed rings without VERSION_1");
        }

        if (_started && features != Features)
        {
            return Verdict.Refuse("features must not change while a ring runs");
        }

        (ulong before, bool set) = (Features, HasFeatures);
        Features = features;
        HasFeatures = true;
        Verdict verdict = CheckStart(Memory.Table, all: false);
        if (!verdict.IsOk)
        {
            Features = before;
            HasFeatures = set;
        }
        else if (!_started)
        {
            Part.OnFeatures();
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

    private Verdict HandleByClass(Request request)
    {
        Verdict verdict = Part.Handle(request, this, out bool changed);
        if (verdict.IsOk && changed)
        {
            owner.Device?.ChangePart();
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

        Verdict verdict = info.Check();
        verdict = verdict.IsOk ? SetClass(info.DeviceId) : verdict;
        verdict = verdict.IsOk ? Part.Check(info, this) : verdict;
        int rings = _rings.Count;
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

        Part.Take(info);
        if (owner.Device is { } device)
        {
            Part.Introduce(device.Part);
            device.ChangePart();
        }

        return RequireDevice(info.MemoryEnd, out _);
    }

    /// <summary>Takes the kind of device that the origin has; it must say so before anything depends on it.</summary>
    private Verdict SetClass(ushort virtioId)
    {
        if (owner.FindClass(virtioId) is not { } named)
        {
            return Verdict.Refuse($"there are no devices here for virtio device id {virtioId}");
        }

        if (named == Class)
        {
            return Verdict.Ok;
        }

        if (HasFeatures || Memory.Count != 0 || _rings.IsSpokenOf)
        {
            return Verdict.Refuse($"virtio device id {virtioId} after features, memory or rings: device info comes before them");
        }

        Part.Release();
        Class = named;
        Part = named.CreateOriginPart();
        OfferedFeatures = named.Offered;
        _rings = new RingTable(owner, named.RingsPerGroup);
        return Verdict.Ok;
    }

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

    private Verdict UseRunnable(IMirrorDevice device)
    {
        bool more = false;
        var placed = new VringAddress[_rings.PerGroup];
        for (int group = 0; group < _rings.Groups; group++)
        {
            Ring[] rings = _rings.GetGroup(group);
            if (rings[0].IsInUse || !IsRunnable(group))
            {
                continue;
            }

            for (int i = 0; i < rings.Length; i++)
            {
                Verdict verdict = Place(rings[i], Memory.Table, out placed[i]);
                if (!verdict.IsOk)
                {
                    return verdict;
                }
            }

            for (int i = 0; i < rings.Length; i++)
            {
                rings[i].Placement = placed[i];
                rings[i].IsInUse = true;
            }

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
    internal Verdict CheckFeatures(IMirrorDevice device)
        => IsExtended || device.Accepts(Features)
            ? Verdict.Ok
            : Verdict.Refuse($"the mirror's driver does not accept {Class.Format(Features & ~device.Accepted)}, and this front-end cannot "
                + "negotiate again while it is connected: restart the origin, which will be offered less");

    /// <summary>Whether all rings that would now start can be shown: what would make a start impossible is refused before it changes anything.</summary>
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
            if ((ring.IsInUse && !all) || !IsRunnable(index / _rings.PerGroup, memory))
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
        for (int group = 0; group < _rings.Groups; group++)
        {
            if (_rings[group * _rings.PerGroup].IsInUse && !IsRunnable(group))
            {
                return true;
            }
        }

        return false;
    }

    private bool IsRunnable(int group) => IsRunnable(group, Memory.Table);

    private bool IsRunnable(int group, MemoryTable memory) => memory.Count != 0 && Array.TrueForAll(_rings.GetGroup(group), IsRunnable);

    private bool IsRunnable(Ring ring)
        => HasFeatures
        && ring.IsComplete
        && (ring.IsEnabled || (Features & VirtioFeatures.VhostUserProtocolFeatures) == 0);
}
