// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>A listening UNIX socket.</summary>
public interface IListener
{
    /// <summary>The descriptor to watch.</summary>
    int Descriptor { get; }

    /// <summary>Takes one waiting connection, without blocking.</summary>
    /// <param name="channel">The connection, or null when there is none or <paramref name="outOfDescriptors"/>.</param>
    /// <param name="outOfDescriptors">EMFILE or ENFILE: the caller should pause before it tries again.</param>
    /// <returns>Whether a connection was taken.</returns>
    bool TryAccept(out IChannel? channel, out bool outOfDescriptors);

    /// <summary>Sets the permission bits of the socket's file.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="mode">The bits.</param>
    /// <param name="error">On failure, why.</param>
    bool TrySetMode(string path, UnixFileMode mode, out string error);
}

/// <summary>Identity of the process at the other end, from the kernel (SO_PEERCRED) at connection time.</summary>
public readonly record struct PeerCredentials(int Pid, uint Uid, uint Gid);

/// <summary>What a receive call came to.</summary>
public enum ReceiveStatus
{
    /// <summary>At least one byte came.</summary>
    Data,

    /// <summary>Nothing is there now.</summary>
    WouldBlock,

    /// <summary>The peer has closed the connection, or it broke.</summary>
    Closed,

    /// <summary>There are more descriptors than a message may have, or than this process may open: those that came are closed already, the connection is of no more use.</summary>
    Truncated,
}

/// <summary>One connected UNIX stream socket that carries bytes and descriptors; never blocks unless it says so.</summary>
/// <remarks>Disposing it ends the connection at once; closing the socket, which may hold descriptors that nobody has received, can come later.</remarks>
public interface IChannel : IDisposable
{
    /// <summary>The descriptor to watch.</summary>
    int Descriptor { get; }

    /// <summary>Who is at the other end.</summary>
    PeerCredentials Peer { get; }

    /// <summary>Descriptors that have come through it and are being closed, which can last as long as the peer likes.</summary>
    int Unclosed { get; }

    /// <summary>Receives up to <paramref name="buffer"/>.Length bytes; descriptors that come along are appended to <paramref name="files"/>, which then owns them.</summary>
    /// <param name="buffer">Where the bytes go; not empty.</param>
    /// <param name="files">Receives the descriptors.</param>
    /// <param name="count">Bytes received.</param>
    ReceiveStatus Receive(Span<byte> buffer, ICollection<IPeerFile> files, out int count);

    /// <summary>Sends all of <paramref name="data"/>, with descriptors on its first byte.</summary>
    /// <remarks>Waits for room at most <paramref name="timeoutMilliseconds"/>; 0 does not wait.</remarks>
    /// <returns>False when the connection is broken or the peer did not read in time; the channel is then of no more use.</returns>
    bool TrySend(ReadOnlySpan<byte> data, ReadOnlySpan<int> descriptors, int timeoutMilliseconds);

    /// <summary>Waits until something can be read.</summary>
    /// <returns>False when the time ran out.</returns>
    bool WaitReadable(int timeoutMilliseconds);

    /// <summary>Ends the connection: the peer sees it closed and can send no more. The descriptor stays open.</summary>
    void ShutDown();
}
