// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>The requests about features, status and who the origin is.</summary>
internal sealed class Negotiation(DeviceClaim claim, Agreement agreement, OriginMemory memory, RingTable rings, RingRunner runner)
{
    internal ulong OfferFeatures() => agreement.Offered = agreement.Class.Offered & claim.GetAccepted(agreement.Class);

    internal Verdict SetFeatures(ulong features)
    {
        ulong unknown = features & ~agreement.Class.Offered;
        if ((unknown & VirtioFeatures.LogAll) != 0)
        {
            return Verdict.Refuse("the dirty log (feature bit 26) was not offered: an origin cannot be migrated");
        }

        if (unknown != 0)
        {
            return Verdict.Refuse($"feature bits 0x{unknown:x} were not offered");
        }

        ulong missing = agreement.Class.Required & ~features;
        if (missing != 0)
        {
            return Verdict.Refuse($"a driver without {agreement.Class.Format(missing)} cannot be served");
        }

        if ((features & VirtioFeatures.RingPacked) != 0 && (features & VirtioFeatures.Version1) == 0)
        {
            return Verdict.Refuse("packed rings without VERSION_1");
        }

        if (runner.IsStarted && features != agreement.Features)
        {
            return Verdict.Refuse("features must not change while a ring runs");
        }

        ulong? before = agreement.Acknowledged;
        agreement.Acknowledged = features;
        Verdict verdict = runner.CheckStart(memory.Table, all: false);
        if (!verdict.IsOk)
        {
            agreement.Acknowledged = before;
        }
        else if (!runner.IsStarted)
        {
            agreement.Part.OnFeatures();
        }

        return verdict;
    }

    internal Verdict SetProtocolFeatures(ulong features)
    {
        ulong unknown = features & ~ProtocolFeatures.Offered;
        if (unknown != 0)
        {
            return Verdict.Refuse($"protocol feature bits 0x{unknown:x} were not offered");
        }

        agreement.ProtocolFeatures = features;
        return Verdict.Ok;
    }

    internal Verdict SetStatus(ulong status)
    {
        if (status > byte.MaxValue)
        {
            return Verdict.Refuse($"status 0x{status:x} is no virtio status");
        }

        agreement.Status = status;
        return status == 0 ? runner.Reset(keepPositions: true) : Verdict.Ok;
    }

    internal Verdict SetDeviceInfo(DeviceInfo info)
    {
        if (!agreement.IsExtended)
        {
            return Verdict.Refuse("device info without its protocol feature");
        }

        if (agreement.Info is not null)
        {
            return Verdict.Refuse("device info came twice");
        }

        Verdict verdict = info.Check();
        verdict = verdict.IsOk ? SetClass(info.DeviceId) : verdict;
        verdict = verdict.IsOk ? agreement.Part.Check(info, agreement) : verdict;
        int before = rings.Count;
        verdict = verdict.IsOk ? rings.Declare(info.QueuePairs) : verdict;
        if (!verdict.IsOk)
        {
            return verdict;
        }

        // Name and number of rings decide which device it can have.
        agreement.Info = info;
        verdict = claim.CheckDevice(info.MemoryEnd, out _);
        if (!verdict.IsOk)
        {
            agreement.Info = null;
            rings.Truncate(before);
            return verdict;
        }

        agreement.Part.Take(info);
        if (claim.Device is { } device)
        {
            agreement.Introduce(device);
        }

        return rings.RequireDevice(info.MemoryEnd);
    }

    /// <summary>Takes the kind of device that the origin has; it must say so before anything depends on it.</summary>
    private Verdict SetClass(ushort virtioId)
    {
        if (claim.FindClass(virtioId) is not { } named)
        {
            return Verdict.Refuse($"there are no devices here for virtio device id {virtioId}");
        }

        if (named == agreement.Class)
        {
            return Verdict.Ok;
        }

        if (agreement.HasFeatures || memory.Count != 0 || rings.IsSpokenOf)
        {
            return Verdict.Refuse($"virtio device id {virtioId} after features, memory or rings: device info comes before them");
        }

        agreement.SetClass(named);
        rings.Begin(named.RingsPerGroup);
        return Verdict.Ok;
    }
}
