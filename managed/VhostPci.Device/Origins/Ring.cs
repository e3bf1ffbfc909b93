// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>One ring of an origin: what its front-end has said about it so far.</summary>
internal sealed class Ring
{
    /// <summary>Entries; 0 until told.</summary>
    internal uint Size => Facts.Size;

    /// <summary>Where it stands when it has not run since it was told.</summary>
    internal uint Base => Facts.Base;

    /// <summary>Whether <see cref="Base"/> was told, or found out.</summary>
    internal bool HasBase => Facts.HasBase;

    /// <summary>Where a packed ring stands.</summary>
    internal PackedPosition Position => Facts.Position;

    internal bool IsEnabled => Facts.IsEnabled;

    /// <summary>Whether its pair runs: the device shows it, or will as soon as the mirror's driver lets it.</summary>
    internal bool IsInUse { get; set; }

    /// <summary>In the front-end's addresses.</summary>
    internal VringAddress? Address => Facts.Address;

    /// <summary>In guest-physical addresses; right while the device shows it and after.</summary>
    internal VringAddress Placement { get; set; }

    /// <summary>Whether the mirror's driver could use it since <see cref="Base"/> was told.</summary>
    internal bool HasRun => Facts.HasRun;

    internal IPeerFile? Kick { get; private set; }

    internal IPeerFile? Call { get; private set; }

    /// <summary>Whether everything is there that belongs to the ring itself.</summary>
    internal bool IsComplete => Size != 0 && Address is not null && Kick is not null;

    /// <summary>All that the front-end has said in numbers, to be put back when it turns out to be of no use.</summary>
    internal RingFacts Facts { get; set; }

    /// <summary>Takes an eventfd, which is the ring's from here on.</summary>
    /// <returns>The one before, now the caller's.</returns>
    internal IPeerFile? Exchange(RingEndpoint endpoint, IPeerFile? file)
    {
        IPeerFile? before = endpoint == RingEndpoint.Kick ? Kick : Call;
        if (endpoint == RingEndpoint.Kick)
        {
            Kick = file;
        }
        else
        {
            Call = file;
        }

        return before;
    }

    internal void CloseFiles()
    {
        Exchange(RingEndpoint.Kick, null)?.Dispose();
        Exchange(RingEndpoint.Call, null)?.Dispose();
    }

    /// <summary>Back to where only the size and the call eventfd are known, and the position if it is still to be told: front-ends send that one before they reset.</summary>
    internal void Reset(bool keepPosition)
    {
        Exchange(RingEndpoint.Kick, null)?.Dispose();
        Facts = keepPosition ? Facts with { Address = null, IsEnabled = false } : default(RingFacts) with { Size = Size };
    }
}
