// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Sockets;

namespace VhostPci.Testing;

/// <summary>Makes two channels that are connected to each other.</summary>
internal static class SocketPair
{
    private const int LocalFamily = 1;
    private const int NonBlockingStream = 1 | 0x800 | 0x80000;

    /// <summary>Makes the pair.</summary>
    /// <param name="right">Closes the right one, and what comes through it; null: they are closed at once.</param>
    internal static (Channel Left, Channel Right) Create(ICloser? right = null)
    {
        int[] numbers = new int[2];
        Assert.Equal(0, Make(LocalFamily, NonBlockingStream, 0, numbers));
        return (new Channel(new Descriptor(numbers[0])), new Channel(new Descriptor(numbers[1], right is null ? null : new CloseLane(right))));
    }

    [DllImport("libc", EntryPoint = "socketpair")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int Make(int domain, int type, int protocol, [Out] int[] descriptors);
}
