// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What a front-end has said about a ring.</summary>
internal sealed class RingModel
{
    internal uint Size { get; set; }

    internal uint Base { get; set; }

    /// <summary>Whether the position was told, or found out.</summary>
    internal bool HasBase { get; set; }

    /// <summary>Whether a mirror could use it since the position was told.</summary>
    internal bool HasRun { get; set; }

    internal bool Enabled { get; set; }

    internal bool Kick { get; set; }

    internal bool Call { get; set; }

    /// <summary>Descriptor table, avail and used in user addresses; null until told.</summary>
    internal (ulong Desc, ulong Avail, ulong Used, ulong Log)? Address { get; set; }

    internal bool InUse { get; set; }

    // Guest-physical.
    internal ulong Desc { get; set; }

    internal ulong Avail { get; set; }

    internal ulong Used { get; set; }
}
