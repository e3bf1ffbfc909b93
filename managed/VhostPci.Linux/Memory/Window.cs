// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Memory;

/// <summary>A reserved range of addresses that peers' memory is laid into.</summary>
/// <remarks>
/// At each moment each of its pages is either a peer's or anonymous: there is never a hole into which the process could map something
/// else that the guest would then see.
/// </remarks>
public sealed class Window : IWindow
{
    private const int Writable = LibcConstants.PROT_READ | LibcConstants.PROT_WRITE;
    private const int Anonymous = LibcConstants.MAP_PRIVATE | LibcConstants.MAP_ANONYMOUS | LibcConstants.MAP_NORESERVE;

    private readonly List<(ulong Start, ulong Length)> _mapped = new(8);
    private nint _address;

    internal Window(nint address, ulong size)
    {
        _address = address;
        Size = size;
    }

    /// <inheritdoc/>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == 0, this);
            return _address;
        }
    }

    /// <inheritdoc/>
    public ulong Size { get; }

    /// <inheritdoc/>
    public ulong MappedBytes { get; private set; }

    /// <inheritdoc/>
    /// <remarks>The caller has checked the file's size: a page past its end would be a SIGBUS at the first touch, which the host then handles.</remarks>
    public bool TryMap(ulong at, IPeerFile file, ulong offset, ulong length, out string error)
    {
        ArgumentNullException.ThrowIfNull(file);
        nint address = Address;
        ulong pageMask = (ulong)Environment.SystemPageSize - 1;
        if (length == 0 || at > Size || length > Size - at || offset > long.MaxValue - length)
        {
            error = $"0x{length:x} bytes at 0x{at:x} are not inside the window of 0x{Size:x} bytes";
            return false;
        }

        if (((at | offset | length) & pageMask) != 0)
        {
            error = $"0x{length:x} bytes at 0x{at:x} from 0x{offset:x} are not whole pages";
            return false;
        }

        foreach ((ulong start, ulong mapped) in _mapped)
        {
            if (at < start + mapped && start < at + length)
            {
                error = $"0x{length:x} bytes at 0x{at:x} overlap what is mapped at 0x{start:x}";
                return false;
            }
        }

        nint target = address + (nint)at;
        nint result = LibcMemory.Map(
            target, (nuint)length, Writable, LibcConstants.MAP_SHARED | LibcConstants.MAP_FIXED, file.Descriptor, (long)offset);
        if (result != target)
        {
            error = $"cannot map 0x{length:x} bytes at 0x{at:x}: {LastError.Text}";
            // A failed MAP_FIXED may have taken away what was there.
            Blank(target, length);
            return false;
        }

        Exclude(target, length);
        _mapped.Add((at, length));
        MappedBytes += length;
        error = "";
        return true;
    }

    /// <inheritdoc/>
    public ushort ReadUInt16(ulong at) => Volatile.Read(ref At(at));

    /// <inheritdoc/>
    public bool TryReplaceUInt16(ulong at, ushort old, ushort value) => Interlocked.CompareExchange(ref At(at), value, old) == old;

    /// <inheritdoc/>
    public bool HasPages(ulong at, ulong length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(at, Size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Size - at);
        int result;
        do
            result = LibcMemory.Advise(Address + (nint)at, (nuint)length, LibcConstants.MADV_POPULATE_READ);
        while (result != 0 && LastError.Number == LinuxError.EINTR);
        return result == 0 || LastError.Number is not (LinuxError.EFAULT or LinuxError.EHWPOISON);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">
    /// Not even an inaccessible mapping could be laid over it: the window still shows the peer's memory. The kernel does this only when
    /// it cannot allocate a few hundred bytes for itself.
    /// </exception>
    public void Clear()
    {
        Blank(Address, Size);
        _mapped.Clear();
        MappedBytes = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_address == 0)
            return;
        _ = LibcMemory.Unmap(_address, (nuint)Size);
        _address = 0;
        _mapped.Clear();
        MappedBytes = 0;
    }

    private ref ushort At(ulong at)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(at, Size - sizeof(ushort));
        ArgumentOutOfRangeException.ThrowIfNotEqual(at % sizeof(ushort), 0UL);

        // SAFETY: inside the window and aligned, as checked above; the addresses stay reserved until Dispose, after which Address throws.
        // What is mapped there is writable. A page that the peer's file has lost is the host's to handle, as for the guest's accesses.
        unsafe
        {
            return ref *(ushort*)(Address + (nint)at);
        }
    }

    internal static nint MapAnonymous(nint address, ulong length)
        => LibcMemory.Map(address, (nuint)length, Writable, Anonymous | (address == 0 ? 0 : LibcConstants.MAP_FIXED), -1, 0);

    /// <summary>Keeps a peer's memory, and gigabytes of nothing, out of this process's core dumps.</summary>
    internal static void Exclude(nint address, ulong length)
        => _ = LibcMemory.Advise(address, (nuint)length, LibcConstants.MADV_DONTDUMP);

    private static bool TryMapEmptyFile(nint address, ulong length)
    {
        try
        {
            using Descriptor file = MemoryFile.Create("vhost-pci-blank", length, sealShrink: false);
            return LibcMemory.Map(address, (nuint)length, Writable, LibcConstants.MAP_SHARED | LibcConstants.MAP_FIXED, file.Number, 0) == address;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static void Blank(nint address, ulong length)
    {
        // Under strict overcommit anonymous memory can be refused; an empty file does not count. Inaccessible memory can always be had: a
        // guest that then touches it is stopped, which is better than a guest that reads a stranger's memory.
        if (MapAnonymous(address, length) != address
            && !TryMapEmptyFile(address, length)
            && LibcMemory.Map(address, (nuint)length, LibcConstants.PROT_NONE, Anonymous | LibcConstants.MAP_FIXED, -1, 0) != address)
        {
            throw new InvalidOperationException($"cannot withdraw memory from a window: {LastError.Text}");
        }

        Exclude(address, length);
    }
}
