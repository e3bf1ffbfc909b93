// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Reporting;

/// <summary>All that the monitor shows, taken at one moment.</summary>
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

internal sealed record PeerSnapshot(
    DeviceClass Class,
    ulong Connection,
    PeerCredentials? Peer,
    string State,
    ulong Messages,
    ulong Features,
    ulong ProtocolFeatures,
    string? Name,
    string? Mac,
    OriginSnapshot? Origin,
    IReadOnlyList<MemoryRegion> Memory,
    DeviceSnapshot? Device,
    IReadOnlyList<RingSnapshot> Rings)
{
    /// <summary>Whether somebody is at the other end now.</summary>
    internal bool IsConnected => State is not ("leaving" or "away" or "waiting");
}

internal sealed record OriginSnapshot(string Mac, Guid Uuid, ushort Mtu);

internal sealed record DeviceSnapshot(
    string Id,
    int Slot,
    bool IsStatic,
    string? Bus,
    ulong WindowSize,
    ulong Mapped,
    uint Epoch,
    uint Ack,
    bool Link,
    bool DriverOk,
    bool DriverLink,
    ulong Accepted);

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
    RingCounters Counters);

internal sealed record ClientSnapshot(string Id, string State, bool Link, ulong Features, ulong Offered, bool NeedsReset);
