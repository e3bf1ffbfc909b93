// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>Closes nothing until it is told to, as if each close waited.</summary>
internal sealed class HeldCloser : ICloser
{
    private readonly List<(ulong Lane, int Descriptor)> _held = [];

    /// <summary>The most that were held at once.</summary>
    internal int Most { get; private set; }

    internal int Held => _held.Count;

    public int CountUnclosed(ulong lane) => _held.Count(held => held.Lane == lane);

    public void CloseLater(ulong lane, int descriptor)
    {
        _held.Add((lane, descriptor));
        Most = Math.Max(Most, _held.Count);
    }

    internal void Release()
    {
        _held.ForEach(held => ThreadCloser.CloseNow(held.Descriptor));
        _held.Clear();
    }
}
