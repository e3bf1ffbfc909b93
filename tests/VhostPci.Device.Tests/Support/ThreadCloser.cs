// SPDX-License-Identifier: GPL-2.0-or-later
using System.Collections.Concurrent;
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;

namespace VhostPci.Device.Tests.Support;

/// <summary>What the shim does: each descriptor is closed on a thread that may wait.</summary>
internal sealed class ThreadCloser : ICloser
{
    private readonly ConcurrentDictionary<int, ulong> _open = new();

    internal int Closing => _open.Values.Distinct().Count();

    public int CountUnclosed(ulong lane) => _open.Values.Count(number => number == lane);

    internal List<ulong> Lanes { get; } = [];

    public void CloseLater(ulong lane, int descriptor)
    {
        Lanes.Add(lane);
        _open[descriptor] = lane;
        new Thread(() =>
        {
            CloseNow(descriptor);
            _open.TryRemove(descriptor, out _);
        })
        { IsBackground = true }.Start();
    }

    /// <summary>Closes a descriptor of the test's here and now.</summary>
    internal static void CloseNow(int descriptor) => new Descriptor(descriptor).Dispose();
}
