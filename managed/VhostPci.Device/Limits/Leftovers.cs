// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Limits;

/// <summary>Descriptors of connections that have ended, for as long as they are still being closed (ADR 0025).</summary>
public sealed class Leftovers
{
    private readonly List<IChannel> _channels = [];

    /// <summary>There are so many connections with some that nobody new is let in.</summary>
    internal bool AreTooMany => CountConnections() >= Budgets.ClosingPeers;

    /// <summary>How many are open.</summary>
    internal ulong Descriptors => (ulong)_channels.Sum(static channel => (long)channel.Unclosed);

    /// <summary>Ends a connection; what it has sent counts until it is closed.</summary>
    internal void Dispose(IChannel channel)
    {
        channel.Dispose();
        Add(channel);
    }

    /// <summary>A connection that has ended; what is closed at once is not counted.</summary>
    internal void Add(IChannel ended)
    {
        _ = CountConnections();
        _channels.Add(ended);
    }

    private int CountConnections()
    {
        _channels.RemoveAll(static channel => channel.Unclosed == 0);
        return _channels.Count;
    }
}
