// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Limits;
using VhostPci.Protocol;

namespace VhostPci.Device.Server;

/// <summary>What the user gave to <c>-device vhost-pci-server</c>, and what the VM around it is like.</summary>
public sealed record ServerConfig
{
    /// <summary>The user's id, or the bus name: what log lines and device ids begin with.</summary>
    public required string Id { get; init; }

    /// <summary>At most this many origins at a time.</summary>
    public required uint Connections { get; init; }

    /// <summary>Bytes of window per device.</summary>
    public required ulong SlotSize { get; init; }

    /// <summary>RAM of the mirror itself, with hot-plug room.</summary>
    public ulong MaxMemory { get; init; }

    /// <summary>Guest-physical address bits of the mirror.</summary>
    public required uint PhysBits { get; init; }

    /// <summary>The file of the socket when the host made it; null for one that the user handed in.</summary>
    public string? SocketPath { get; init; }

    /// <summary>Users whose processes may connect, as <c>0:1000</c>; null for everybody.</summary>
    public string? AllowUid { get; init; }

    /// <summary>User of this process.</summary>
    public uint Uid { get; init; }

    /// <summary>Minimum level that is logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Whether memory that a peer can truncate is taken, too.</summary>
    public bool AllowUnsealed { get; init; }

    /// <summary>Seconds in which an origin that left may return to its device, before the guest is asked for it.</summary>
    public uint UnplugDelay { get; init; }

    internal uint UnplugMilliseconds => UnplugDelay * 1000;

    /// <summary>New devices a minute for the origins of one user; 0: any number.</summary>
    public uint PlugRate { get; init; } = Budgets.PlugRate;

    /// <summary>Queue pairs that one origin may have.</summary>
    public uint QueuesMax { get; init; } = GuestAbi.MaxQueuePairs;

    /// <summary>Names of the user's own buses, one device on each; null for the bridge's.</summary>
    public IReadOnlyList<string>? SlotBuses { get; init; }

    /// <summary>Usable device numbers of a bridge's bus; 0: there is no bridge, only a static device that the socket belongs to.</summary>
    public required uint Slots { get; init; }

    /// <summary>Whether devices can be plugged.</summary>
    public bool HasBridge => Slots != 0;
}
