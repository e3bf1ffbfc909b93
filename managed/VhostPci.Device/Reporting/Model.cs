// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json.Serialization;
using VhostPci.Device.Classes;

namespace VhostPci.Device.Reporting;

/// <summary>All that the monitor shows, taken at one moment. Public members, in their order, are what the QAPI schema names; null is left out.</summary>
internal sealed record Snapshot(IReadOnlyList<ServerSnapshot> Servers, IReadOnlyList<ClientSnapshot> Clients, RuntimeFacts Runtime);

internal sealed record ServerSnapshot(
    string Id,
    uint ConnectionsMax,
    ulong Accepted,
    ulong Refused,
    string? LastRefusal,
    ulong SlotSize,
    string LogLevel,
    IReadOnlyList<uint>? AllowUid,
    IReadOnlyList<PeerSnapshot> Peers);

/// <param name="Class">Knows the names of features and rings.</param>
internal sealed record PeerSnapshot([property: JsonIgnore] DeviceClass Class)
{
    public required ulong Connection { get; init; }
    public int? Pid { get; init; }
    public uint? Uid { get; init; }
    public uint? Gid { get; init; }
    public required string State { get; init; }
    public ulong Messages { get; init; }
    public ulong Features { get; init; }
    public ulong ProtocolFeatures { get; init; }
    public string? Device { get; init; }
    public int? Slot { get; init; }
    public string? Bus { get; init; }
    public bool? Static { get; init; }
    public string? Name { get; init; }
    public string? Mac { get; init; }
    public string? OriginMac { get; init; }
    public Guid? OriginUuid { get; init; }
    public ushort? Mtu { get; init; }
    public IReadOnlyList<MemorySnapshot> Memory { get; init; } = [];
    public ulong WindowSize { get; init; }
    public ulong Mapped { get; init; }
    public uint Epoch { get; init; }
    public uint Ack { get; init; }
    public bool Link { get; init; }
    public bool DriverOk { get; init; }
    public bool DriverLink { get; init; }
    public ulong Accepted { get; init; }
    public IReadOnlyList<RingSnapshot> Rings { get; init; } = [];

    /// <summary>Whether somebody is at the other end now.</summary>
    internal bool IsConnected => State is not ("leaving" or "away" or "waiting");
}

internal readonly record struct MemorySnapshot(ulong Address, ulong Size, ulong Offset);

internal readonly record struct RingSnapshot(
    int Index,
    uint Size,
    bool Enabled,
    bool Running,
    ulong Desc,
    ulong Avail,
    ulong Used,
    ushort AvailIndex,
    ushort UsedIndex,
    ulong Kicks,
    ulong Interrupts,
    ulong Doorbells);

internal sealed record ClientSnapshot(string Id, string State, bool Link, ulong Features, ulong Offered, bool NeedsReset);
