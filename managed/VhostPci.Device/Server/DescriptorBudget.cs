// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Protocol;
using static System.FormattableString;

namespace VhostPci.Device.Server;

/// <summary>The descriptors of this process, shared out to the origins of all its servers.</summary>
/// <remarks>
/// Each connection that a server may have is sure of one queue pair, whatever the others do. What is left goes to those who ask first
/// for more, and to what connections that have ended have left: while that does not close, their places are not free.
/// </remarks>
public sealed class DescriptorBudget
{
    private ulong _connections;
    private ulong _most;
    private ulong _live;
    private long _morePairs;

    /// <summary>Descriptors that this process may have open.</summary>
    public ulong Limit { get; set; } = ulong.MaxValue;

    /// <summary>What origins have left.</summary>
    internal Leftovers OriginsLeft { get; } = new();

    /// <summary>What the servers of this process's clients have left.</summary>
    internal Leftovers ServersLeft { get; } = new();

    /// <summary>Whether one more connection can be sure of a queue pair now.</summary>
    internal bool CanAccept
        => !OriginsLeft.AreTooMany && Count(Math.Min(_live + 1, _connections)) + Left <= Limit;

    /// <summary>Descriptors for all servers and one more, if each of its origins had all the queue pairs that it may, and as many had left all that they can.</summary>
    public ulong CountAll(ServerConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Budgets.CountDescriptors(_connections + config.Connections, 1) + ((_most + MorePairs(config)) * Budgets.PairDescriptors)
            + Budgets.LeftDescriptors;
    }

    /// <summary>Sees to it that each connection of one more server can have a queue pair.</summary>
    /// <param name="config">Its options.</param>
    /// <param name="error">What the user has to change.</param>
    internal bool TryAdd(ServerConfig config, out string error)
    {
        uint connections = config.Connections;
        ulong needed = Count(_connections + connections);
        if (needed > Limit)
        {
            error = Invariant($"connections={connections} may take {needed} file descriptors in this process, but it may have only {Limit}: raise the limit (ulimit -Hn, LimitNOFILE=) or lower connections=");
            return false;
        }

        _connections += connections;
        _most += MorePairs(config);
        error = string.Empty;
        return true;
    }

    internal void Remove(ServerConfig config)
    {
        _connections -= config.Connections;
        _most -= MorePairs(config);
    }

    /// <summary>Whether there are descriptors for that many queue pairs beyond those that everybody is sure of.</summary>
    internal bool HasRoomFor(int pairs) => Count(_connections) + ((ulong)pairs * Budgets.PairDescriptors) + Left <= Limit;

    /// <summary>A connection is there.</summary>
    internal void Enter() => _live++;

    /// <summary>A connection has ended.</summary>
    internal void Leave(IChannel channel)
    {
        _live--;
        OriginsLeft.Add(channel);
    }

    /// <summary>Somebody has that many more, or fewer.</summary>
    internal void Change(int pairs) => _morePairs += pairs;

    /// <summary>Queue pairs that a server's origins may have beyond their first ones.</summary>
    private static ulong MorePairs(ServerConfig config) => config.Connections * (Math.Clamp(config.QueuesMax, 1UL, GuestAbi.MaxQueuePairs) - 1);

    private ulong Left => OriginsLeft.Descriptors + ServersLeft.Descriptors;

    private ulong Count(ulong connections)
        => Budgets.CountDescriptors(connections, 1) + ((ulong)_morePairs * Budgets.PairDescriptors);
}
