// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Support;

/// <summary>Throws at one of the calls that the library makes to its host, and at no other.</summary>
/// <param name="at">Which, counted from 1; 0 for none.</param>
internal sealed class FaultPlan(int at)
{
    /// <summary>Calls so far.</summary>
    internal int Steps { get; private set; }

    internal bool HasThrown => at != 0 && Steps >= at;

    internal void Step()
    {
        if (++Steps == at)
        {
            throw new InvalidOperationException($"fault {at}");
        }
    }
}
