// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Linux.Libc;

// As 64-bit little-endian Linux has them; the layout test compares each with the C compiler's.

// SAFETY: points to memory that whoever fills it in keeps pinned for the call.
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    internal void* Base;
    internal nuint Length;
}

// SAFETY: as IoVector.
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageDescription
{
    internal void* Name;
    internal uint NameLength;
    internal IoVector* Vectors;
    internal nuint VectorCount;
    internal void* Control;
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
}

[StructLayout(LayoutKind.Explicit, Size = 120)]
internal struct FileSystemStat
{
    [FieldOffset(0)]
    internal long Type;

    [FieldOffset(8)]
    internal long BlockSize;
}

internal struct ResourceLimit
{
    internal ulong Soft;
    internal ulong Hard;
}
