// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Linux.Tests;

/// <summary>Lowers RLIMIT_NOFILE for a moment.</summary>
internal sealed unsafe partial class DescriptorLimit : IDisposable
{
    private const int RLIMIT_NOFILE = 7;
    private readonly Limit _before;

    private DescriptorLimit(Limit before) => _before = before;

    /// <summary>Lets this process open that many more descriptors; free numbers below the highest one in use count, too.</summary>
    public static DescriptorLimit LeaveRoomFor(int count)
    {
        HashSet<int> used = [.. Directory.GetFileSystemEntries("/proc/self/fd").Select(static p => int.Parse(Path.GetFileName(p), null))];
        int limit = 0;
        for (int free = 0; free < count || used.Contains(limit); limit++)
        {
            if (!used.Contains(limit))
                free++;
        }

        Limit before;
        Assert.Equal(0, GetLimit(RLIMIT_NOFILE, &before));
        Limit lower = before with { Soft = (ulong)limit };
        Assert.Equal(0, SetLimit(RLIMIT_NOFILE, &lower));
        return new DescriptorLimit(before);
    }

    public void Dispose()
    {
        Limit before = _before;
        _ = SetLimit(RLIMIT_NOFILE, &before);
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, Limit* limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, Limit* limit);

    private struct Limit
    {
        public ulong Soft;
        public ulong Hard;
    }
}
