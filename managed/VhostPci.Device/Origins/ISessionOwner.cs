// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>What a <see cref="Session"/> asks of its connection.</summary>
internal interface ISessionOwner
{
    /// <summary>The device, once it is plugged.</summary>
    IMirrorDevice? Device { get; }

    bool AllowUnsealed { get; }

    /// <summary>The class of an origin that has not said what kind it is.</summary>
    DeviceClass DefaultClass { get; }

    /// <summary>Finds the class of an origin by its virtio id; null when there are no devices for it.</summary>
    DeviceClass? FindClass(ushort virtioId);

    /// <summary>What the guest drivers of a class have accepted last.</summary>
    ulong GetAccepted(DeviceClass deviceClass);

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
    Verdict RequireDevice(ulong memoryEnd);
}
