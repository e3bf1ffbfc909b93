// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Globalization;
using VhostPci.Device.Ports;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Files;

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
    // SAFETY: the path was cleared and its last byte is never written, so it ends in a NUL; the target's length goes with it. Both are on this stack.
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
    // SAFETY: the kernel writes structs of its own sizes (LibcLayoutTests), and reads a path that is just its NUL; all are on this stack.
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
    /// <remarks>
    /// Not by lseek(SEEK_HOLE), which waits for locks of the file that a peer can keep (see <see cref="TryWrite"/>). A page that is
    /// swapped out looks like a hole. The kernel calls every page present when this process may not write to the inode, which is so with
    /// another user's file without such permissions: its holes are not found.
    /// </remarks>
    // SAFETY: mincore writes a byte for each page asked about, at most Pages of them, into as many on this stack. The mapping is ours until the end and never touched.
    public unsafe bool TryFindHole(ulong offset, ulong length, out ulong hole)
    {
        const int Pages = 1 << 14;
        ulong page = (ulong)Environment.SystemPageSize;
        hole = 0;
        if (offset % page != 0 || length == 0 || offset > long.MaxValue - length)
            return false;

        nint start = LibcMemory.Map(0, (nuint)length, LibcConstants.PROT_READ, LibcConstants.MAP_SHARED, Descriptor, (long)offset);
        if (start == LibcMemory.Failed)
            return false;

        byte* resident = stackalloc byte[Pages];
        int index = -1;
        for (ulong at = 0; at < length && index < 0; at += Pages * page)
        {
            ulong part = Math.Min(length - at, Pages * page);
            if (LibcMemory.AreInCore(start + (nint)at, (nuint)part, resident) != 0)
                break;
            index = new ReadOnlySpan<byte>(resident, (int)((part + page - 1) / page)).IndexOf((byte)0);
            if (index >= 0)
                hole = offset + at + ((ulong)index * page);
        }

        _ = LibcMemory.Unmap(start, (nuint)length);
        return index >= 0;
    }

    /// <inheritdoc/>
    /// <remarks>Only for files whose <see cref="PeerFileFacts.IsMemoryFile"/> holds: reading another kind could block.</remarks>
    // SAFETY: the destination is pinned for the call, and its length goes with it.
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
    /// <remarks>
    /// Not by pwrite(), which waits for the file's lock: a peer keeps it for as long as it likes with a write of its own, from memory that
    /// its FUSE daemon does not hand out. The kernel copies into a mapping, and says so when there is nothing to copy to.
    /// </remarks>
    // SAFETY: at is even and below length, so two bytes from first + at are inside of the mapping, which is ours until the end and which only the kernel touches: where it has no page, pread fails.
    public unsafe bool TryWrite(ulong offset, ulong length, ReadOnlySpan<(uint At, ushort Value)> words)
    {
        PeerFileFacts facts = GetFacts();
        if (!facts.IsMemoryFile || offset % sizeof(ushort) != 0 || length == 0 || offset > facts.Size || length > facts.Size - offset)
            return false;

        int number;
        fixed (byte* name = "vhost-pci-copy"u8)
            number = LibcFiles.CreateMemory(name, LibcConstants.MFD_CLOEXEC);
        using var scratch = new Descriptor(number);
        ulong start = offset & ~(facts.PageSize - 1);
        nuint size = (nuint)((offset + length - start + facts.PageSize - 1) & ~(facts.PageSize - 1));
        nint pages = scratch.IsInvalid
            ? LibcMemory.Failed
            : LibcMemory.Map(0, size, LibcConstants.PROT_READ | LibcConstants.PROT_WRITE, LibcConstants.MAP_SHARED, Descriptor, (long)start);
        if (pages == LibcMemory.Failed)
            return false;

        bool written = true;
        byte* first = (byte*)pages + (offset - start);
        byte* bytes = stackalloc byte[sizeof(ushort)];
        foreach ((uint at, ushort value) in words)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(new Span<byte>(bytes, sizeof(ushort)), value);
            written = written && at % sizeof(ushort) == 0 && at < length
                && LibcFiles.WriteAt(scratch.Number, bytes, sizeof(ushort), 0) == sizeof(ushort)
                && LibcFiles.ReadAt(scratch.Number, first + at, sizeof(ushort), 0) == sizeof(ushort);
        }

        _ = LibcMemory.Unmap(pages, size);
        return written;
    }

    /// <inheritdoc/>
    public void Dispose() => descriptor.Dispose();
}
