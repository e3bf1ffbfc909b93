// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using VhostPci.Device.Limits;
using VhostPci.Protocol;

namespace VhostPci.Device.Server;

/// <summary>The descriptors of this process, shared out to the origins of all its servers.</summary>
/// <remarks>
/// Each connection that a server may have is sure of one queue pair, whatever the others do. What is left goes to those who ask first
/// for more.
/// </remarks>
public sealed class DescriptorBudget
{
    private ulong _connections;
    private ulong _most;
    private long _morePairs;

    /// <summary>Descriptors that this process may have open.</summary>
    public ulong Limit { get; set; } = ulong.MaxValue;

    /// <summary>Descriptors for all servers and one more, if each of its origins had all the queue pairs that it may.</summary>
    public ulong CountAll(ServerConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Budgets.CountDescriptors(_connections + config.Connections, 1) + ((_most + MorePairs(config)) * Budgets.PairDescriptors);
    }

    /// <summary>Sees to it that each connection of one more server can have a queue pair.</summary>
    /// <param name="config">Its options.</param>
    /// <param name="error">What the user has to change.</param>
    internal bool TryAdd(ServerConfig config, out string error)
    {
        uint connections = config.Connections;
        ulong needed = Needed(connections);
        if (needed > Limit)
        {
            error = string.Create(
                CultureInfo.InvariantCulture,
                $"connections={connections} may take {needed} file descriptors in this process, but it may have only {Limit}: raise the limit (ulimit -Hn, LimitNOFILE=) or lower connections=");
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
    internal bool HasRoomFor(int pairs) => Needed(0) + ((ulong)pairs * Budgets.PairDescriptors) <= Limit;

    /// <summary>Somebody has that many more, or fewer.</summary>
    internal void Change(int pairs) => _morePairs += pairs;

    /// <summary>Queue pairs that a server's origins may have beyond their first ones.</summary>
    private static ulong MorePairs(ServerConfig config) => config.Connections * (Math.Clamp(config.QueuesMax, 1UL, GuestAbi.MaxQueuePairs) - 1);

    private ulong Needed(uint more) => Budgets.CountDescriptors(_connections + more, 1) + ((ulong)_morePairs * Budgets.PairDescriptors);
}
