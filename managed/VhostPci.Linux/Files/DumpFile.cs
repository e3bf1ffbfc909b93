// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Files;

/// <summary>A new file, readable by its owner only.</summary>
public sealed class DumpFile : IDumpFile
{
    private const uint OwnerOnly = 0x180; // 0600

    private readonly Descriptor _file;
    private long _length;

    private DumpFile(Descriptor file) => _file = file;

    /// <summary>Makes the file, or empties the one that is there; follows no symbolic link at its end.</summary>
    public static bool TryCreate(string path, out DumpFile? file, out string error)
    {
        int flags = LibcConstants.O_WRONLY | LibcConstants.O_CREAT | LibcConstants.O_TRUNC | LibcConstants.O_APPEND | LibcConstants.O_CLOEXEC
            | LibcConstants.O_NOFOLLOW | LibcConstants.O_NONBLOCK;
        int number = LibcFiles.Open(path, flags, OwnerOnly);
        file = number < 0 ? null : new DumpFile(new Descriptor(number));
        error = number < 0 ? $"{path}: {LastError.Text}" : "";
        return number >= 0;
    }

    /// <inheritdoc/>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        nint written;

        // SAFETY: the bytes are pinned, and read to their length.
        unsafe
        {
            fixed (byte* start = bytes)
                written = LibcFiles.Write(_file.Number, start, (nuint)bytes.Length);
        }

        if (written == bytes.Length)
        {
            _length += written;
            return true;
        }

        if (written > 0)
        {
            // The disk has become full on the way: programs that read the file would call it damaged.
            _ = LibcFiles.Truncate(_file.Number, _length);
        }

        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
