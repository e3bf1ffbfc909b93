// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Classes;

/// <summary>What a device class may know of the session of one of its origins.</summary>
internal interface IClassSession
{
    /// <summary>What the origin's driver acknowledged.</summary>
    ulong Features { get; }

    /// <summary>Whether it has acknowledged any.</summary>
    bool HasFeatures { get; }

    ulong ProtocolFeatures { get; }

    /// <summary>The class's part of its device; null while there is none.</summary>
    DevicePart? DevicePart { get; }
}
