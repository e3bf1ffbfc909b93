// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Linux.Libc;

// SAFETY: the signatures are libc's on x86-64; each caller says why its pointers and addresses are right.
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
