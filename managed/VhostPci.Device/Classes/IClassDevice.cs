// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Classes;

/// <summary>What a device class may know of one of its devices.</summary>
internal interface IClassDevice
{
    /// <summary>What identifies it while no origin has said who it is: a place that is taken again has the same.</summary>
    string Named { get; }

    /// <summary>It is there for ever.</summary>
    bool IsStatic { get; }

    /// <summary>What the user has said about it; null when nothing.</summary>
    ClassOptions? Options { get; }

    /// <summary>The guest driver uses it.</summary>
    bool IsUp { get; }

    /// <summary>The guest has been asked to let it go: it counts no more.</summary>
    bool IsLeaving { get; }
}
