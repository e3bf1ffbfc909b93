// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Globalization;
using VhostPci.Device.Ports;
using VhostPci.Interop.Libc;

namespace VhostPci.Interop.Files;

/// <summary>A descriptor that a peer has sent.</summary>
/// <param name="descriptor">The descriptor, which now belongs to this object; its lane closes it.</param>
public sealed class PeerFile(Descriptor descriptor) : IPeerFile
{
    // "/proc/self/fd/" and a number of at most 10 digits and a NUL
    private const int LinkPathSize = 32;

    /// <inheritdoc/>
    public int Descriptor => descriptor.Number;

    /// <inheritdoc/>
    /// <remarks>
    /// An eventfd has no other mark than its name in /proc. Where /proc is not mounted nothing is recognised, so nothing is accepted.
    /// </remarks>
    public unsafe bool IsEventDescriptor
    {
        get
        {
            ReadOnlySpan<byte> expected = "anon_inode:[eventfd]"u8;
            ReadOnlySpan<byte> folder = "/proc/self/fd/"u8;
            Span<byte> path = stackalloc byte[LinkPathSize];
            Span<byte> target = stackalloc byte[LinkPathSize];
            path.Clear();
            folder.CopyTo(path);
            _ = Descriptor.TryFormat(path[folder.Length..^1], out _, default, CultureInfo.InvariantCulture);
            nint length;
            fixed (byte* pathPointer = path)
            fixed (byte* targetPointer = target)
                length = LibcFiles.ReadLink(pathPointer, targetPointer, (nuint)target.Length);
            return length > 0 && target[..(int)length].SequenceEqual(expected);
        }
    }

    /// <inheritdoc/>
    public unsafe PeerFileFacts GetFacts()
    {
        int number = Descriptor;

        // This first: only shmem and hugetlbfs answer, and no file system is asked. What follows would wait for the daemon of a
        // file on FUSE, or for a server that is gone.
        int seals = LibcFiles.Control(number, LibcConstants.F_GET_SEALS, 0);
        if (seals < 0)
            return default;

        ExtendedStat stat = default;
        FileSystemStat fileSystem = default;
        byte noPath = 0;
        if (LibcFiles.Stat(number, &noPath, LibcConstants.AT_EMPTY_PATH, LibcConstants.STATX_TYPE | LibcConstants.STATX_SIZE, &stat) != 0
            || LibcFiles.StatFileSystem(number, &fileSystem) != 0)
        {
            return default;
        }

        int flags = LibcFiles.Control(number, LibcConstants.F_GETFL, 0);
        bool isHuge = fileSystem.Type == LibcConstants.HUGETLBFS_MAGIC;
        return new PeerFileFacts(
            IsMemoryFile: (stat.Mode & LibcConstants.S_IFMT) == LibcConstants.S_IFREG
                && (isHuge || fileSystem.Type == LibcConstants.TMPFS_MAGIC),
            IsReadWrite: flags >= 0 && (flags & LibcConstants.O_ACCMODE) == LibcConstants.O_RDWR,
            IsShrinkSealed: (seals & LibcConstants.F_SEAL_SHRINK) != 0,
            Size: stat.Size,
            // Only hugetlbfs says its page size there; others say what they like to write.
            PageSize: isHuge ? (ulong)fileSystem.BlockSize : (ulong)Environment.SystemPageSize);
    }

    /// <inheritdoc/>
    public void SetNonBlocking()
    {
        int number = Descriptor;
        int flags = LibcFiles.Control(number, LibcConstants.F_GETFL, 0);
        if (flags >= 0)
            _ = LibcFiles.Control(number, LibcConstants.F_SETFL, flags | LibcConstants.O_NONBLOCK);
    }

    /// <inheritdoc/>
    public bool TryReadUInt16(ulong offset, out ushort value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        if (TryRead(offset, bytes))
            return BinaryPrimitives.TryReadUInt16LittleEndian(bytes, out value);
        value = 0;
        return false;
    }

    /// <inheritdoc/>
    /// <remarks>Moves the position of the open file, which nobody uses.</remarks>
    public bool TryFindHole(ulong offset, ulong length, out ulong hole)
    {
        long found = offset > long.MaxValue ? -1 : LibcFiles.Seek(Descriptor, (long)offset, LibcConstants.SEEK_HOLE);
        hole = unchecked((ulong)found);
        return found >= 0 && hole - offset < length;
    }

    /// <inheritdoc/>
    /// <remarks>Only for files whose <see cref="PeerFileFacts.IsMemoryFile"/> holds: reading another kind could block.</remarks>
    public unsafe bool TryRead(ulong offset, Span<byte> destination)
    {
        if (offset > long.MaxValue - (ulong)destination.Length)
            return false;

        int number = Descriptor;
        nint count;
        fixed (byte* pointer = destination)
        {
            do
                count = LibcFiles.ReadAt(number, pointer, (nuint)destination.Length, (long)offset);
            while (count < 0 && Errno.Last == Errno.EINTR);
        }

        return count == destination.Length;
    }

    /// <inheritdoc/>
    public unsafe bool TryWriteUInt16(ulong offset, ushort value)
    {
        if (offset > long.MaxValue - sizeof(ushort))
            return false;

        int number = Descriptor;
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        nint count;
        fixed (byte* pointer = bytes)
        {
            do
                count = LibcFiles.WriteAt(number, pointer, sizeof(ushort), (long)offset);
            while (count < 0 && Errno.Last == Errno.EINTR);
        }

        return count == sizeof(ushort);
    }

    /// <inheritdoc/>
    public void Dispose() => descriptor.Dispose();
}
