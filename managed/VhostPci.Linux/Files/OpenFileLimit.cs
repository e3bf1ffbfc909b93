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
    // SAFETY: structs of the kernel's size (LibcLayoutTests) on this stack; 'now' is read only when the kernel has filled it.
    public static unsafe bool TryRaise(ulong needed, out ulong limit)
    {
        ResourceLimit now;
        if (LibcFiles.GetLimit(LibcConstants.RLIMIT_NOFILE, &now) != 0)
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
        if (LibcFiles.SetLimit(LibcConstants.RLIMIT_NOFILE, &raised) == 0)
        {
            limit = raised.Soft;
        }

        return limit >= needed;
    }
}
