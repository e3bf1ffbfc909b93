// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>A descriptor that a peer has sent. Closing it is the owner's duty.</summary>
public interface IPeerFile : IDisposable
{
    /// <summary>Its number in this process.</summary>
    int Descriptor { get; }

    /// <summary>Whether it is an eventfd (anon_inode:[eventfd]) and nothing else.</summary>
    bool IsEventDescriptor { get; }

    /// <summary>Asks the kernel what the file is; asked anew at each call.</summary>
    PeerFileFacts GetFacts();

    /// <summary>Makes later reads and writes non-blocking; the flag is shared with the peer, who may clear it again.</summary>
    void SetNonBlocking();

    /// <summary>Reads a little-endian u16 at a byte offset without mapping the file, so that no fault can happen.</summary>
    bool TryReadUInt16(ulong offset, out ushort value);

    /// <summary>Fills <paramref name="destination"/> from a byte offset on without mapping the file.</summary>
    bool TryRead(ulong offset, Span<byte> destination);

    /// <summary>Finds the first byte that takes no memory yet: the file system may not have any for it.</summary>
    /// <param name="offset">Where to begin.</param>
    /// <param name="length">How far to look, in bytes.</param>
    /// <param name="hole">Its offset in the file.</param>
    /// <returns>False when there is none; always on hugetlbfs, which does not say, and possibly for a file of another user.</returns>
    bool TryFindHole(ulong offset, ulong length, out ulong hole);

    /// <summary>Writes little-endian numbers, so that no fault can happen and no lock of the peer's is waited for.</summary>
    /// <param name="offset">Even; in bytes.</param>
    /// <param name="length">Bytes from there on that may be written to.</param>
    /// <param name="words">What to write, in this order: even offsets from <paramref name="offset"/>, and numbers.</param>
    /// <returns>False when the file is not memory or ends before; at most some of them are written then.</returns>
    bool TryWrite(ulong offset, ulong length, ReadOnlySpan<(uint At, ushort Value)> words);
}

/// <summary>What the kernel says about a file that a peer offers as memory.</summary>
/// <param name="IsMemoryFile">A regular file on tmpfs or hugetlbfs.</param>
/// <param name="IsReadWrite">Opened with O_RDWR.</param>
/// <param name="IsShrinkSealed">F_SEAL_SHRINK is set: the peer cannot truncate it under us.</param>
/// <param name="Size">Size in bytes.</param>
/// <param name="PageSize">Page size of the file system in bytes: what mappings must be aligned to.</param>
public readonly record struct PeerFileFacts(
    bool IsMemoryFile,
    bool IsReadWrite,
    bool IsShrinkSealed,
    ulong Size,
    ulong PageSize);
