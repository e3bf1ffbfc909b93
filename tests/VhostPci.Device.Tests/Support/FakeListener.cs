// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Sockets;
using VhostPci.Testing;

namespace VhostPci.Device.Tests.Support;

/// <summary>Accepts one end of socket pairs.</summary>
internal sealed class FakeListener : IListener
{
    private readonly Queue<IChannel> _waiting = new();

    private static int _last = 1_000_000;

    // Of no file: the fake host never polls.
    public int Descriptor { get; } = Interlocked.Increment(ref _last);

    internal bool OutOfDescriptors { get; set; }

    internal List<(string Path, UnixFileMode Mode)> Modes { get; } = [];

    internal string? ModeFailure { get; set; }

    /// <summary>Times that accepting ends in an exception.</summary>
    internal int Throws { get; set; }

    public bool TrySetMode(string path, UnixFileMode mode, out string error)
    {
        error = ModeFailure ?? string.Empty;
        Modes.Add((path, mode));
        return ModeFailure is null;
    }

    public bool TryAccept(out IChannel? channel, out bool outOfDescriptors)
    {
        outOfDescriptors = OutOfDescriptors;
        channel = null;
        if (Throws > 0)
        {
            Throws--;
            throw new InvalidOperationException("accepting failed");
        }

        if (OutOfDescriptors || !_waiting.TryDequeue(out IChannel? next))
        {
            return false;
        }

        channel = next;
        return true;
    }

    /// <summary>Closes what comes through the connections from here on; null: at once.</summary>
    internal ICloser? Closer { get; set; }

    /// <summary>A connection that waits to be accepted.</summary>
    /// <param name="uid">Its user; null for this process's.</param>
    internal Channel Connect(uint? uid = null)
    {
        (Channel left, Channel right) = SocketPair.Create(Closer);
        _waiting.Enqueue(uid is { } user ? new UserChannel(right, user) : right);
        return left;
    }
}
