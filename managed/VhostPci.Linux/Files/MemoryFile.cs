// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Files;

/// <summary>Makes memfds; for tests and tools that play an origin.</summary>
public static class MemoryFile
{
    /// <summary>Makes a memfd, close-on-exec.</summary>
    /// <param name="name">Shown in /proc; for people only.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="sealShrink">Adds F_SEAL_SHRINK: it can be relied upon not to become shorter.</param>
    /// <param name="hugePages">On hugetlbfs, with the default huge page size.</param>
    /// <exception cref="IOException">The kernel refused, for example because there are no huge pages.</exception>
    // SAFETY: the name ends in a NUL that was put there, and is pinned for the call.
    public static unsafe Descriptor Create(string name, ulong size, bool sealShrink, bool hugePages = false)
    {
        ArgumentNullException.ThrowIfNull(name);
        byte[] text = Encoding.UTF8.GetBytes(name + "\0");
        uint flags = LibcConstants.MFD_CLOEXEC | LibcConstants.MFD_ALLOW_SEALING | (hugePages ? LibcConstants.MFD_HUGETLB : 0);
        int number;
        fixed (byte* pointer = text)
            number = LibcFiles.CreateMemory(pointer, flags);
        if (number < 0)
            throw Errno.Failure("memfd_create");

        var file = new Descriptor(number);
        try
        {
            if (LibcFiles.Truncate(number, checked((long)size)) != 0)
                throw Errno.Failure("ftruncate");
            if (sealShrink && LibcFiles.Control(number, LibcConstants.F_ADD_SEALS, LibcConstants.F_SEAL_SHRINK) != 0)
                throw Errno.Failure("F_ADD_SEALS");
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
