// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Linux.Tests;

/// <summary>What this process has open.</summary>
internal static class OpenDescriptors
{
    public static int Count()
    {
        // Earlier tests' garbage would otherwise be closed in the middle of a count.
        GC.Collect();
        GC.WaitForPendingFinalizers();

        // The runtime's own threads open a file now and then, for a moment.
        return Enumerable.Range(0, 5).Min(static _ => Directory.GetFileSystemEntries("/proc/self/fd").Length);
    }
}
