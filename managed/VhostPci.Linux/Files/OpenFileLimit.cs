// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Files;

/// <summary>How many descriptors this process may have open (RLIMIT_NOFILE).</summary>
public static class OpenFileLimit
{
    /// <summary>Raises the soft limit, if it is lower, as far as the hard limit allows.</summary>
    /// <param name="needed">Descriptors.</param>
    /// <param name="limit">What may be open now.</param>
    /// <returns>Whether that is enough.</returns>
    public static bool TryRaise(ulong needed, out ulong limit)
    {
        if (!TryGet(out ResourceLimit now))
        {
            // Nobody knows; whoever runs out will say so.
            limit = ulong.MaxValue;
            return true;
        }

        limit = now.Soft;
        if (limit >= needed)
        {
            return true;
        }

        ResourceLimit raised = now with { Soft = Math.Min(needed, now.Hard) };
        if (TrySet(raised))
        {
            limit = raised.Soft;
        }

        return limit >= needed;
    }

    private static bool TryGet(out ResourceLimit limit)
    {
        ResourceLimit found = default;
        bool done;

        // SAFETY: the kernel fills one struct, on this stack.
        unsafe
        {
            done = LibcFiles.GetLimit(LibcConstants.RLIMIT_NOFILE, &found) == 0;
        }

        limit = found;
        return done;
    }

    private static bool TrySet(ResourceLimit limit)
    {
        // SAFETY: the kernel reads one struct, on this stack.
        unsafe
        {
            return LibcFiles.SetLimit(LibcConstants.RLIMIT_NOFILE, &limit) == 0;
        }
    }
}
