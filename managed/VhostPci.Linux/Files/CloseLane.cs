// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Linux.Files;

/// <summary>What is closed for one peer, in order and beside the caller's thread.</summary>
/// <param name="closer">Does it.</param>
public sealed class CloseLane(ICloser closer)
{
    private static ulong _last;

    private readonly ulong _number = Interlocked.Increment(ref _last);

    /// <summary>Descriptors that are not closed yet.</summary>
    internal int Unclosed => closer.CountUnclosed(_number);

    internal void Close(int descriptor) => closer.CloseLater(_number, descriptor);
}
