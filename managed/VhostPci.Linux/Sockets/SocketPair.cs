// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Sockets;

/// <summary>Makes two channels that are connected to each other; for tests and tools.</summary>
public static class SocketPair
{
    /// <summary>Makes the pair.</summary>
    /// <param name="right">Closes the right one, and what comes through it; null: they are closed at once.</param>
    /// <exception cref="IOException">The process is out of descriptors.</exception>
    // SAFETY: two ints on this stack, as many as socketpair writes.
    public static unsafe (Channel Left, Channel Right) Create(ICloser? right = null)
    {
        int* numbers = stackalloc int[2];
        int type = LibcConstants.SOCK_STREAM | LibcConstants.SOCK_CLOEXEC | LibcConstants.SOCK_NONBLOCK;
        if (LibcSockets.SocketPair(LibcConstants.AF_UNIX, type, 0, numbers) != 0)
            throw Errno.Failure("socketpair");
        return (new Channel(new Descriptor(numbers[0])), new Channel(new Descriptor(numbers[1], right is null ? null : new CloseLane(right))));
    }
}
