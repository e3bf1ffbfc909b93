// SPDX-License-Identifier: GPL-2.0-or-later

namespace VhostPci.Device.Origins;

/// <summary>What a device needs of the connection it belongs to.</summary>
internal interface IOrigin
{
    OriginMemory Memory { get; }

    /// <summary>What its driver has acknowledged.</summary>
    ulong Features { get; }

    /// <summary>The same without what the driver has switched off since.</summary>
    ulong EffectiveFeatures { get; }

    /// <summary>Does not change any more once there is a device.</summary>
    int RingCount { get; }

    Ring GetRing(int index);

    /// <summary>The device could not show the origin's memory or bind its eventfds.</summary>
    void OnDeviceFailed(string reason);

    /// <summary>The driver has come up or gone down, or accepts other features.</summary>
    void OnDriverChanged();

    /// <summary>The host took the device away while the origin was connected.</summary>
    void OnDeviceRemoved();
}
