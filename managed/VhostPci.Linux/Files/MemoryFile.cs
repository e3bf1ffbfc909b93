// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Files;

/// <summary>Makes memfds.</summary>
public static class MemoryFile
{
    /// <summary>Makes a memfd, close-on-exec.</summary>
    /// <param name="name">Shown in /proc; for people only.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="sealShrink">Adds F_SEAL_SHRINK: it can be relied upon not to become shorter.</param>
    /// <param name="hugePages">On hugetlbfs, with the default huge page size.</param>
    /// <exception cref="IOException">The kernel refused, for example because there are no huge pages.</exception>
    public static Descriptor Create(string name, ulong size, bool sealShrink, bool hugePages = false)
    {
        ArgumentNullException.ThrowIfNull(name);
        uint flags = LibcConstants.MFD_CLOEXEC | LibcConstants.MFD_ALLOW_SEALING | (hugePages ? LibcConstants.MFD_HUGETLB : 0);
        Descriptor file = TryCreate(name, flags) ?? throw LastError.AsException("memfd_create");
        try
        {
            if (LibcFiles.Truncate(file.Number, checked((long)size)) != 0)
                throw LastError.AsException("ftruncate");
            if (sealShrink && LibcFiles.Control(file.Number, LibcConstants.F_ADD_SEALS, LibcConstants.F_SEAL_SHRINK) != 0)
                throw LastError.AsException("F_ADD_SEALS");
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Makes an empty memfd; null when the kernel refused.</summary>
    internal static Descriptor? TryCreate(string name, uint flags = LibcConstants.MFD_CLOEXEC)
    {
        byte[] text = Encoding.UTF8.GetBytes(name + "\0");
        int number;

        // SAFETY: the name is pinned and ends with a NUL.
        unsafe
        {
            fixed (byte* pointer = text)
                number = LibcFiles.CreateMemory(pointer, flags);
        }

        return number < 0 ? null : new Descriptor(number);
    }
}
