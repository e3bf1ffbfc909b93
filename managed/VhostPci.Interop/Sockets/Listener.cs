// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Interop.Files;
using VhostPci.Interop.Libc;

namespace VhostPci.Interop.Sockets;

/// <summary>A listening UNIX socket that belongs to somebody else, as a chardev's.</summary>
/// <param name="descriptor">The socket: listening and non-blocking, open as long as this object is used.</param>
public sealed class Listener(int descriptor) : IListener
{
    /// <inheritdoc/>
    public int Descriptor => descriptor;

    /// <inheritdoc/>
    public bool TrySetMode(string path, UnixFileMode mode, out string error)
    {
        bool done = LibcFiles.ChangeMode(path, (uint)mode) == 0;
        error = done ? "" : $"{path}: {Errno.Describe(Errno.Last)}";
        return done;
    }

    /// <inheritdoc/>
    public unsafe bool TryAccept(out IChannel? channel, out bool outOfDescriptors)
    {
        channel = null;
        outOfDescriptors = false;
        while (true)
        {
            int number = LibcSockets.Accept(descriptor, null, null, LibcConstants.SOCK_CLOEXEC | LibcConstants.SOCK_NONBLOCK);
            if (number >= 0)
            {
                channel = new Channel(new Descriptor(number));
                return true;
            }

            switch (Errno.Last)
            {
                // A client that has gone again already; the next one may be waiting behind it.
                case Errno.EINTR or Errno.ECONNABORTED:
                    continue;
                case Errno.EMFILE or Errno.ENFILE or Errno.ENOMEM or Errno.ENOBUFS:
                    outOfDescriptors = true;
                    return false;
                default:
                    return false;
            }
        }
    }
}
