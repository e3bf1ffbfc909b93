// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Clients;

/// <summary>What is behind a piece of the origin's RAM.</summary>
/// <param name="Backend">Id of its memory backend.</param>
/// <param name="Seals">F_GET_SEALS of its file; negative for a file that has none.</param>
public readonly record struct MemoryBacking(string Backend, int Seals)
{
    private const int SealShrink = 2;

    /// <summary>Why a server may not take the memory, by the names that the user gave; empty when there is no reason.</summary>
    internal static string Doubts(ReadOnlySpan<MemoryBacking> backings)
    {
        var doubts = new SortedSet<string>(StringComparer.Ordinal);
        foreach (MemoryBacking backing in backings)
        {
            if (backing.Seals < 0)
            {
                doubts.Add($"; memory backend '{backing.Backend}' is not a file on tmpfs or hugetlbfs, which no server takes: use memory-backend-memfd for it");
            }
            else if ((backing.Seals & SealShrink) == 0)
            {
                doubts.Add($"; memory backend '{backing.Backend}' is not sealed against shrinking, which a server takes with allow-unsealed=on only: "
                    + "use memory-backend-memfd for it");
            }
        }

        return string.Concat(doubts);
    }
}
