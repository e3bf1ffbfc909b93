// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Linux.Libc;

// As 64-bit little-endian Linux has them; the layout test compares each with the C compiler's.

// The addresses in these two are of memory that whoever fills them in keeps pinned for the call.
[StructLayout(LayoutKind.Sequential)]
internal struct IoVector
{
    internal nint Base;
    internal nuint Length;
}

[StructLayout(LayoutKind.Sequential)]
internal struct MessageDescription
{
    internal nint Name;
    internal uint NameLength;
    internal nint Vectors;
    internal nuint VectorCount;
    internal nint Control;
    internal nuint ControlLength;
    internal int Flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ControlHeader
{
    internal nuint Length;
    internal int Level;
    internal int Type;
}

[StructLayout(LayoutKind.Sequential)]
internal struct UserCredentials
{
    internal int Pid;
    internal uint Uid;
    internal uint Gid;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PollDescriptor
{
    internal int Descriptor;
    internal short Events;
    internal short Returned;
}

/// <summary>struct statx: unlike struct stat it is the same on all architectures.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct ExtendedStat
{
    [FieldOffset(0)]
    internal uint Mask;

    [FieldOffset(28)]
    internal ushort Mode;

    [FieldOffset(40)]
    internal ulong Size;

    /// <summary>Asks about an open file.</summary>
    internal static bool TryGet(int descriptor, uint mask, out ExtendedStat stat)
    {
        ExtendedStat found = default;
        byte noPath = 0;
        bool done;

        // SAFETY: an empty path and a struct of the kernel's size (LibcLayoutTests), both on this stack.
        unsafe
        {
            done = LibcFiles.Stat(descriptor, &noPath, LibcConstants.AT_EMPTY_PATH, mask, &found) == 0;
        }

        stat = found;
        return done;
    }
}

[StructLayout(LayoutKind.Explicit, Size = 120)]
internal struct FileSystemStat
{
    [FieldOffset(0)]
    internal long Type;

    [FieldOffset(8)]
    internal long BlockSize;

    /// <summary>Asks about the file system of an open file.</summary>
    internal static bool TryGet(int descriptor, out FileSystemStat fileSystem)
    {
        FileSystemStat found = default;
        bool done;

        // SAFETY: the kernel fills a struct of its size (LibcLayoutTests), on this stack.
        unsafe
        {
            done = LibcFiles.StatFileSystem(descriptor, &found) == 0;
        }

        fileSystem = found;
        return done;
    }
}

internal struct ResourceLimit
{
    internal ulong Soft;
    internal ulong Hard;
}
