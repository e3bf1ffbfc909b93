// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Sockets;

/// <summary>A listening UNIX socket that belongs to somebody else, as a chardev's.</summary>
/// <param name="descriptor">The socket: listening and non-blocking, open as long as this object is used.</param>
/// <param name="closer">Closes connections, and what comes through them; null: they are closed at once.</param>
public sealed class Listener(int descriptor, ICloser? closer = null) : IListener
{
    /// <inheritdoc/>
    public int Descriptor => descriptor;

    /// <inheritdoc/>
    /// <remarks>
    /// Where others may write to the folder, another file or a symbolic link may be there by now: only a socket is changed, and the one
    /// that was looked at.
    /// </remarks>
    public bool TrySetMode(string path, UnixFileMode mode, out string error)
    {
        int number = LibcFiles.Open(path, LibcConstants.O_PATH | LibcConstants.O_NOFOLLOW | LibcConstants.O_CLOEXEC, 0);
        if (number < 0)
        {
            error = $"{path}: {LastError.Text}";
            return false;
        }

        using var file = new Descriptor(number);
        if (!ExtendedStat.TryGet(number, LibcConstants.STATX_TYPE, out ExtendedStat stat)
            || (stat.Mode & LibcConstants.S_IFMT) != LibcConstants.S_IFSOCK)
        {
            error = $"{path} is not a socket any more: somebody has put another file there";
            return false;
        }

        bool done = LibcFiles.ChangeMode(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{number}"), (uint)mode) == 0;
        error = done ? "" : $"{path}: {LastError.Text}";
        return done;
    }

    /// <inheritdoc/>
    public bool TryAccept(out IChannel? channel, out bool outOfDescriptors)
    {
        channel = null;
        outOfDescriptors = false;
        while (true)
        {
            int number;

            // SAFETY: the kernel is given nowhere to write an address.
            unsafe
            {
                number = LibcSockets.Accept(descriptor, null, null, LibcConstants.SOCK_CLOEXEC | LibcConstants.SOCK_NONBLOCK);
            }

            if (number >= 0)
            {
                channel = new Channel(new Descriptor(number, closer is null ? null : new CloseLane(closer)));
                return true;
            }

            switch (LastError.Number)
            {
                // A client that has gone again already; the next one may be waiting behind it.
                case LinuxError.EINTR or LinuxError.ECONNABORTED:
                    continue;
                case LinuxError.EMFILE or LinuxError.ENFILE or LinuxError.ENOMEM or LinuxError.ENOBUFS:
                    outOfDescriptors = true;
                    return false;
                default:
                    return false;
            }
        }
    }
}
