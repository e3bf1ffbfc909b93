// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>Makes windows.</summary>
public interface IWindowFactory
{
    /// <summary>Reserves an address range of anonymous, unpopulated memory.</summary>
    /// <param name="size">Bytes; a power of two, at least 1 MiB.</param>
    /// <param name="window">The window, or null on failure.</param>
    /// <param name="error">On failure, one line for the user.</param>
    bool TryReserve(ulong size, out IWindow? window, out string error);
}

/// <summary>A reserved range of host addresses that is a device's memory BAR (ADR 0007).</summary>
/// <remarks>
/// Its address never changes, so the hypervisor's memory slot stays; the peer's files are laid over it with MAP_FIXED and replaced by
/// anonymous memory when they go. Dispose only when no vCPU can reach it any more.
/// </remarks>
public interface IWindow : IDisposable
{
    /// <summary>Host address, page-aligned (1 GiB-aligned where possible).</summary>
    nint Address { get; }

    /// <summary>Size in bytes.</summary>
    ulong Size { get; }

    /// <summary>Bytes that are backed by a peer's files now.</summary>
    ulong MappedBytes { get; }

    /// <summary>Lays part of a file over part of the window.</summary>
    /// <param name="at">Offset in the window.</param>
    /// <param name="file">The peer's file; may be closed afterwards.</param>
    /// <param name="offset">Offset in the file.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="error">On failure, one line with the reason.</param>
    bool TryMap(ulong at, IPeerFile file, ulong offset, ulong length, out string error);

    /// <summary>Reads a little-endian u16 that a peer may be writing.</summary>
    /// <param name="at">Offset in the window, even.</param>
    ushort ReadUInt16(ulong at);

    /// <summary>Writes a little-endian u16 if it still is what it was, in one step.</summary>
    /// <returns>Whether it was.</returns>
    bool TryReplaceUInt16(ulong at, ushort old, ushort value);

    /// <summary>Whether the pages of a range can be had, without touching them. Those that a file has not allocated yet are allocated.</summary>
    /// <param name="at">Offset in the window, whole pages.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <returns>True also where the kernel cannot tell (before Linux 5.14).</returns>
    bool HasPages(ulong at, ulong length);

    /// <summary>Makes the whole window anonymous again; what was written to it is gone.</summary>
    void Clear();
}
