// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Files;

/// <summary>Makes and drives eventfds of our own; for the client's side and for tests.</summary>
public static class EventDescriptor
{
    /// <summary>Makes an eventfd at 0: non-blocking, close-on-exec.</summary>
    /// <exception cref="IOException">The process is out of descriptors.</exception>
    public static Descriptor Create()
    {
        int number = LibcFiles.CreateEvent(0, LibcConstants.EFD_CLOEXEC | LibcConstants.EFD_NONBLOCK);
        return number < 0 ? throw Errno.Failure("eventfd") : new Descriptor(number);
    }

    /// <summary>Adds 1.</summary>
    /// <remarks>Only for eventfds that are known to be non-blocking: a peer can make a shared one block.</remarks>
    /// <returns>False when it is full or not an eventfd.</returns>
    // SAFETY: eight bytes on this stack, and the count says so.
    public static unsafe bool Signal(int number)
    {
        ulong one = 1;
        return LibcFiles.Write(number, &one, sizeof(ulong)) == sizeof(ulong);
    }

    /// <summary>Takes the count and sets it to 0.</summary>
    /// <param name="number">A non-blocking eventfd.</param>
    /// <param name="count">What it was; 0 when nothing was signalled.</param>
    /// <returns>False when nothing was signalled.</returns>
    // SAFETY: eight bytes on this stack, and the count says so.
    public static unsafe bool TryTake(int number, out ulong count)
    {
        ulong value = 0;
        bool taken = LibcFiles.Read(number, &value, sizeof(ulong)) == sizeof(ulong);
        count = taken ? value : 0;
        return taken;
    }
}
