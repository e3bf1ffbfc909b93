// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Protocol;

namespace VhostPci.Device.Classes;

/// <summary>A kind of virtio device whose rings a mirror can serve: all that wire, origin, window, life cycle and server must know of it.</summary>
internal abstract class DeviceClass
{
    /// <summary>The virtio id of the origin's device.</summary>
    internal abstract ushort VirtioId { get; }

    /// <summary>Rings that run together or not at all.</summary>
    internal abstract int RingsPerGroup { get; }

    /// <summary>Features that an origin is offered.</summary>
    internal abstract ulong Offered { get; }

    /// <summary>Features that an origin's driver must have acknowledged; without them it is refused.</summary>
    internal virtual ulong Required => 0;

    /// <summary>The requests that its origins make.</summary>
    internal abstract RequestTable Requests { get; }

    /// <summary>Bytes of its part of a device's configuration.</summary>
    internal abstract int PartSize { get; }

    /// <summary>Names of its own feature bits.</summary>
    protected abstract IReadOnlyList<(ulong Bit, string Name)> Names { get; }

    /// <summary>Feature bits as people read them.</summary>
    internal string Format(ulong features) => FeatureNames.Format(features, Names);

    /// <summary>What a ring is for, as people read it.</summary>
    internal abstract string DescribeRing(int ring);

    /// <summary>Takes away the features that need another which is not there.</summary>
    internal virtual ulong MakeConsistent(ulong features) => features;

    /// <summary>Whether a static device can be like this.</summary>
    internal virtual Verdict Check(ClassOptions? options) => Verdict.Ok;

    /// <summary>Makes what it keeps of one origin.</summary>
    internal abstract OriginPart CreateOriginPart();

    /// <summary>Makes what it keeps of one device.</summary>
    internal abstract DevicePart CreateDevicePart(IClassDevice device);
}
