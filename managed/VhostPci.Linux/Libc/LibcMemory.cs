// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Linux.Libc;

// SAFETY: declarations only. Who calls one sees to it that its pointers are good for the call, and for as many bytes as it says.
internal static unsafe partial class LibcMemory
{
    /// <summary>What mmap returns on failure.</summary>
    internal const nint Failed = -1;

    [LibraryImport("libc", EntryPoint = "mmap64", SetLastError = true)]
    internal static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    internal static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mincore", SetLastError = true)]
    internal static partial int AreInCore(nint address, nuint length, byte* pages);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    internal static partial int Advise(nint address, nuint length, int advice);
}
