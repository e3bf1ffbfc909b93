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
    public bool IsEventDescriptor
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

            // SAFETY: both are on this stack; the path's last byte is never written and so a NUL, and the target is filled to its length at most.
            unsafe
            {
                fixed (byte* pathPointer = path, targetPointer = target)
                    length = LibcFiles.ReadLink(pathPointer, targetPointer, (nuint)target.Length);
            }

            return length > 0 && target[..(int)length].SequenceEqual(expected);
        }
    }

    /// <inheritdoc/>
    public PeerFileFacts GetFacts()
    {
        int number = Descriptor;

        // This first: only shmem and hugetlbfs answer, and no file system is asked. What follows would wait for the daemon of a
        // file on FUSE, or for a server that is gone.
        int seals = LibcFiles.Control(number, LibcConstants.F_GET_SEALS, 0);
        if (seals < 0)
            return default;

        if (!ExtendedStat.TryGet(number, LibcConstants.STATX_TYPE | LibcConstants.STATX_SIZE, out ExtendedStat stat)
            || !FileSystemStat.TryGet(number, out FileSystemStat fileSystem))
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
    public bool TryFindHole(ulong offset, ulong length, out ulong hole)
    {
        const int Pages = 1 << 14;
        ulong page = (ulong)Environment.SystemPageSize;
        hole = 0;
        if (offset % page != 0 || length == 0 || offset > long.MaxValue - length)
            return false;

        nint start = LibcMemory.Map(0, (nuint)length, LibcConstants.PROT_READ, LibcConstants.MAP_SHARED, Descriptor, (long)offset);
        if (start == LibcMemory.Failed)
            return false;

        Span<byte> resident = stackalloc byte[Pages];
        int index = -1;
        for (ulong at = 0; at < length && index < 0; at += Pages * page)
        {
            ulong part = Math.Min(length - at, Pages * page);
            if (!AreInCore(start + (nint)at, part, resident))
                break;
            index = resident[..(int)((part + page - 1) / page)].IndexOf((byte)0);
            if (index >= 0)
                hole = offset + at + ((ulong)index * page);
        }

        _ = LibcMemory.Unmap(start, (nuint)length);
        return index >= 0;
    }

    /// <inheritdoc/>
    /// <remarks>Only for files whose <see cref="PeerFileFacts.IsMemoryFile"/> holds: reading another kind could block.</remarks>
    public bool TryRead(ulong offset, Span<byte> destination)
    {
        if (offset > long.MaxValue - (ulong)destination.Length)
            return false;

        int number = Descriptor;
        nint count;

        // SAFETY: the destination is pinned, and filled to its length at most.
        unsafe
        {
            fixed (byte* pointer = destination)
            {
                do
                    count = LibcFiles.ReadAt(number, pointer, (nuint)destination.Length, (long)offset);
                while (count < 0 && LastError.Number == LinuxError.EINTR);
            }
        }

        return count == destination.Length;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Not by pwrite(), which waits for the file's lock: a peer keeps it for as long as it likes with a write of its own, from memory that
    /// its FUSE daemon does not hand out. The kernel copies into a mapping, and says so when there is nothing to copy to.
    /// </remarks>
    public bool TryWrite(ulong offset, ulong length, ReadOnlySpan<(uint At, ushort Value)> words)
    {
        PeerFileFacts facts = GetFacts();
        if (!facts.IsMemoryFile || offset % sizeof(ushort) != 0 || length == 0 || offset > facts.Size || length > facts.Size - offset)
            return false;

        using Descriptor? scratch = MemoryFile.TryCreate("vhost-pci-copy");
        ulong start = offset & ~(facts.PageSize - 1);
        nuint size = (nuint)((offset + length - start + facts.PageSize - 1) & ~(facts.PageSize - 1));
        nint pages = scratch is null
            ? LibcMemory.Failed
            : LibcMemory.Map(0, size, LibcConstants.PROT_READ | LibcConstants.PROT_WRITE, LibcConstants.MAP_SHARED, Descriptor, (long)start);
        if (scratch is null || pages == LibcMemory.Failed)
            return false;

        bool written = true;
        nint first = pages + (nint)(offset - start);
        foreach ((uint at, ushort value) in words)
            written = written && at % sizeof(ushort) == 0 && at < length && TryCopy(scratch.Number, value, first + (nint)at);

        _ = LibcMemory.Unmap(pages, size);
        return written;
    }

    /// <inheritdoc/>
    public void Dispose() => descriptor.Dispose();

    private static bool AreInCore(nint start, ulong length, Span<byte> pages)
    {
        // SAFETY: the kernel writes a byte for each page of a range that is mapped: the caller has no more of them than there is room for.
        unsafe
        {
            fixed (byte* pointer = pages)
                return LibcMemory.AreInCore(start, (nuint)length, pointer) == 0;
        }
    }

    /// <summary>Has the kernel copy a number into a mapping.</summary>
    private static bool TryCopy(int scratch, ushort value, nint target)
    {
        // SAFETY: the number is on this stack, x86-64's byte order is the ring's; the caller has mapped the target, and a page that is gone
        // is EFAULT to the kernel.
        unsafe
        {
            return LibcFiles.WriteAt(scratch, &value, sizeof(ushort), 0) == sizeof(ushort)
                && LibcFiles.ReadAt(scratch, (void*)target, sizeof(ushort), 0) == sizeof(ushort);
        }
    }
}
