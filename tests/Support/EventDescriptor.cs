// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using VhostPci.Linux.Files;

namespace VhostPci.Testing;

/// <summary>Makes and drives eventfds, as an origin does.</summary>
internal static class EventDescriptor
{
    private const int NonBlockingAndCloseOnExec = 0x800 | 0x80000;

    /// <summary>Makes an eventfd at 0.</summary>
    internal static Descriptor Create()
    {
        int number = Make(0, NonBlockingAndCloseOnExec);
        Assert.True(number >= 0);
        return new Descriptor(number);
    }

    /// <summary>Adds 1; false when it is full or not an eventfd.</summary>
    internal static bool Signal(int number)
    {
        ulong one = 1;
        return Write(number, ref one, sizeof(ulong)) == sizeof(ulong);
    }

    /// <summary>Takes the count and sets it to 0; false when nothing was signalled.</summary>
    internal static bool TryTake(int number, out ulong count) => Read(number, out count, sizeof(ulong)) == sizeof(ulong);

    [DllImport("libc", EntryPoint = "eventfd")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int Make(uint initial, int flags);

    [DllImport("libc", EntryPoint = "read")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern nint Read(int descriptor, out ulong value, nint count);

    [DllImport("libc", EntryPoint = "write")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern nint Write(int descriptor, ref ulong value, nint count);
}
