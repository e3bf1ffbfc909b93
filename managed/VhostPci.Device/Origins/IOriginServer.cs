// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Classes;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>What a <see cref="Connection"/> asks of its server.</summary>
internal interface IOriginServer
{
    /// <summary>The user's name for it.</summary>
    string Id { get; }

    ILogger Logger { get; }

    /// <summary>Where messages are written, when the user wants them.</summary>
    MessageDump? Dump { get; }

    /// <summary>Milliseconds of a clock that only goes forward.</summary>
    long Now { get; }

    /// <summary>Whether memory that a peer can truncate is taken, too.</summary>
    bool AllowUnsealed { get; }

    /// <summary>Queue pairs that one origin may have.</summary>
    int QueuesMax { get; }

    /// <summary>The classes that it has devices for; the first is that of an origin that does not say.</summary>
    IReadOnlyList<DeviceClass> Classes { get; }

    /// <summary>What the guest drivers of a class have accepted last: a new origin is offered no more.</summary>
    ulong GetAccepted(DeviceClass deviceClass);

    /// <summary>Limits what the mirror's guest can send to one origin.</summary>
    RateBudget NewNewsBudget();

    /// <summary>Whether there are descriptors for that many more queue pairs.</summary>
    bool HasRoomFor(int pairs);

    /// <summary>A connection has that many queue pairs more, or fewer.</summary>
    void ChangePairs(int pairs);

    /// <summary>Whether a connection could get a device, or could wait for one; changes nothing.</summary>
    Verdict CheckDevice(Connection connection, ulong memoryEnd, out ulong windowSize);

    /// <summary>Finds a device for a connection: the one that it had, a static one, or a new one.</summary>
    PlugResult TryGetDevice(Connection connection, ulong memoryEnd, out IMirrorDevice? device, out ulong windowSize, out string error);

    /// <summary>Takes its devices from a connection that ends.</summary>
    void VacateAll(Connection connection);

    void OnMessage();

    void LogRefusal(PeerCredentials peer, string reason);

    void OnClosed(Connection connection, IChannel channel);
}
