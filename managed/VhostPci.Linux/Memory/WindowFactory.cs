// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;
using VhostPci.Device.Ports;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Memory;

/// <summary>Reserves windows.</summary>
public sealed class WindowFactory : IWindowFactory
{
    /// <summary>The smallest window in bytes.</summary>
    public const ulong MinSize = 1UL << 20;

    // With equal low bits in guest and host addresses, KVM can map with pages of 1 GiB or 2 MiB.
    private const ulong GiantPage = 1UL << 30;
    private const ulong LargePage = 1UL << 21;

    /// <inheritdoc/>
    public bool TryReserve(ulong size, [NotNullWhen(true)] out IWindow? window, out string error)
    {
        window = null;
        if (size < MinSize || !ulong.IsPow2(size) || size > (ulong)nint.MaxValue / 2)
        {
            error = $"a window of {size} bytes is not a power of two from {MinSize} bytes";
            return false;
        }

        nint address = ReserveAligned(size, Math.Min(size, GiantPage));
        if (address == LibcMemory.Failed)
            address = ReserveAligned(size, Math.Min(size, LargePage));
        if (address == LibcMemory.Failed)
        {
            int errno = LastError.Number;
            error = $"cannot reserve {size >> 20} MiB of addresses for a window: {LastError.Describe(errno)}"
                + " (see ulimit -v and vm.overcommit_memory; slot-size= makes windows smaller)";
            return false;
        }

        Window.Exclude(address, size);
        window = new Window(address, size);
        error = "";
        return true;
    }

    private static nint ReserveAligned(ulong size, ulong alignment)
    {
        ulong reach = size + alignment;
        nint start = Window.MapAnonymous(0, reach);
        if (start == LibcMemory.Failed)
            return start;

        ulong aligned = ((ulong)start + alignment - 1) & ~(alignment - 1);
        ulong before = aligned - (ulong)start;
        ulong after = reach - before - size;
        if (before != 0)
            _ = LibcMemory.Unmap(start, (nuint)before);
        if (after != 0)
            _ = LibcMemory.Unmap((nint)(aligned + size), (nuint)after);
        return (nint)aligned;
    }
}
