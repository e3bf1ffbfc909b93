// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>What a <see cref="Session"/> asks of its connection.</summary>
internal interface ISessionOwner
{
    /// <summary>The device, once it is plugged.</summary>
    MirrorDevice? Device { get; }

    bool AllowUnsealed { get; }

    /// <summary>What the mirror's drivers have accepted last.</summary>
    ulong AcceptedFeatures { get; }

    /// <summary>Whether there are devices for this kind of origin, a virtio id.</summary>
    Verdict CheckKind(ushort deviceId);

    /// <summary>Whether an interface of the mirror has this address, which therefore no origin can have.</summary>
    bool IsMirrorAddress(MacAddress address);

    /// <summary>Queue pairs that an origin may have.</summary>
    int MostPairs { get; }

    /// <summary>Whether it may have that many, and why not; changes nothing.</summary>
    Verdict CheckPairs(int pairs);

    /// <summary>It has that many now.</summary>
    void SetPairs(int pairs);

    /// <summary>Whether <see cref="RequireDevice"/> would have a device, or hope for one; changes nothing.</summary>
    /// <param name="memoryEnd">What its window must show.</param>
    /// <param name="windowSize">Bytes of the window that there is or would be.</param>
    Verdict CheckDevice(ulong memoryEnd, out ulong windowSize);

    /// <summary>Sees to it that there is, or will be, a device whose window shows memory up to <paramref name="memoryEnd"/>.</summary>
    Verdict RequireDevice(ulong memoryEnd, out ulong windowSize);
}
