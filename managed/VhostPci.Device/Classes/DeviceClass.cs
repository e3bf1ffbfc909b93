// SPDX-License-Identifier: GPL-2.0-or-later
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

    /// <summary>Bytes of the class's part of the configuration.</summary>
    internal abstract int PartSize { get; }

    /// <summary>Takes away the features that need another which is not there.</summary>
    internal abstract ulong MakeConsistent(ulong features);
}
