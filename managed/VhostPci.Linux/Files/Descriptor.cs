// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Files;

/// <summary>A file descriptor that this library owns: closed exactly once.</summary>
public sealed class Descriptor : SafeHandle
{
    /// <summary>Takes over a descriptor.</summary>
    /// <param name="number">An open descriptor that nobody else closes.</param>
    /// <param name="lane">Closes it, when it is a peer's or may hold what a peer has sent; null: it is closed at once.</param>
    public Descriptor(int number, CloseLane? lane = null)
        : base(-1, ownsHandle: true)
    {
        Lane = lane;
        SetHandle(number);
    }

    /// <summary>What closes it, and what comes through it.</summary>
    internal CloseLane? Lane { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <summary>Its number in this process.</summary>
    /// <exception cref="ObjectDisposedException">It is closed: the number may be another file's by now.</exception>
    public int Number
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (int)handle;
        }
    }

    /// <summary>Makes a second descriptor of the same open file, close-on-exec.</summary>
    /// <param name="number">An open descriptor; stays its owner's.</param>
    /// <param name="lane">Closes the second one; null: it is closed at once.</param>
    /// <returns>Null when the process is out of descriptors or <paramref name="number"/> is not open.</returns>
    public static Descriptor? Duplicate(int number, CloseLane? lane = null)
    {
        int copy = LibcFiles.Control(number, LibcConstants.F_DUPFD_CLOEXEC, 0);
        return copy < 0 ? null : new Descriptor(copy, lane);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (Lane is { } lane)
        {
            lane.Close((int)handle);
        }
        else
        {
            // Linux has given the number up even when close() reports EINTR: trying again could hit somebody else's file.
            _ = LibcFiles.Close((int)handle);
        }

        return true;
    }
}
