// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Classes;

/// <summary>What a device class keeps of one origin, and how it acts on the requests that only this class has.</summary>
internal abstract class OriginPart
{
    /// <summary>Judges what the origin says about itself; changes nothing.</summary>
    internal virtual Verdict Check(DeviceInfo info, IClassSession session) => Verdict.Ok;

    /// <summary>Takes what has been judged.</summary>
    internal virtual void Take(DeviceInfo info)
    {
    }

    /// <summary>Acts on a request that only this class has.</summary>
    /// <param name="request">The request.</param>
    /// <param name="session">Whose it is.</param>
    /// <param name="changed">Whether the device's part, or the features in effect, have changed.</param>
    internal abstract Verdict Handle(Request request, IClassSession session, out bool changed);

    /// <summary>Tells a device what is known of the origin.</summary>
    internal virtual void Introduce(DevicePart device)
    {
    }

    /// <summary>The origin's driver has acknowledged features: it begins anew.</summary>
    internal virtual void OnFeatures()
    {
    }

    /// <summary>Features without what the driver has switched off since.</summary>
    internal virtual ulong MakeEffective(ulong features) => features;

    /// <summary>The origin has gone.</summary>
    internal virtual void Release()
    {
    }
}
