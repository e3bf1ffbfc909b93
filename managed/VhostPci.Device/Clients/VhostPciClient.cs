// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>The front-end: the origin's half of the protocol, for one virtio-net device.</summary>
/// <remarks>
/// The handshake is asynchronous; requests of the running device wait for room, and for one reply, a bounded time. A server is
/// trusted no more than a server trusts its clients: see <see cref="WaitBudget"/>, <see cref="RequestBudget"/> and <see cref="ClientTroubles"/>.
/// </remarks>
public sealed class VhostPciClient : IReactor
{
    internal const uint HandshakeTimeout = 5000;

    private readonly IHost _host;
    private readonly Leftovers _left;
    private readonly ClientSession _session;
    private readonly OriginLink _link;
    private readonly ClientConnection _connection;
    private readonly DriverRequests _requests;
    private readonly MemoryAnnouncer _memory;
    private readonly RingStop _stop;
    private bool _isDestroyed;

    internal VhostPciClient(IHost host, IClientHost device, ClientConfig config, ILogger logger, TimeProvider time, Leftovers left)
    {
        _host = host;
        _left = left;
        Number = host.Register(this);
        var troubles = new ClientTroubles(logger, config.Id, time);
        _session = new ClientSession(config);
        _link = new OriginLink(host, Number, device, _session, troubles);
        _connection = new ClientConnection(host, Number, device, _session, logger, troubles, _link, time, left);
        _requests = new DriverRequests(_session, _connection.Channel, troubles);
        _memory = new MemoryAnnouncer(_session, _connection.Channel, troubles);
        _stop = new RingStop(_connection, _session, _connection.Channel);
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    /// <summary>Virtio features that the device may offer to its driver: fixed, so that they do not depend on whether the server is there.</summary>
    /// <remarks>Not in-order: QEMU's virtio-net does not know it.</remarks>
    public ulong OfferedFeatures => _session.OfferedFeatures;

    internal ClientConfig Config => _session.Config;

    internal ClientState State => _session.State;

    internal bool IsLinkUp => _link.IsUp;

    /// <summary>The driver uses features that it must not use any more.</summary>
    internal bool NeedsReset => _link.NeedsReset;

    /// <summary>What the device may offer as long as this server is there.</summary>
    internal ulong AllowedFeatures => _session.AllowedFeatures;

    internal ulong AcknowledgedFeatures => _session.Acknowledged;

    /// <summary>The chardev has connected: start the handshake.</summary>
    public void Connected(IChannel channel)
    {
        ArgumentNullException.ThrowIfNull(channel);
        _connection.Channel.Drop();
        _connection.Channel.Release();
        if (_isDestroyed)
        {
            _left.Dispose(channel);
        }
        else
        {
            _connection.Begin(channel);
        }
    }

    /// <summary>The chardev has lost its connection.</summary>
    public void Disconnected() => _connection.End();

    /// <summary>The device's driver has been reset, or has chosen features.</summary>
    public void DriverNegotiated() => _link.OnDriverNegotiated();

    /// <summary>QEMU itself sends a frame for the device, which it does to announce its address.</summary>
    public void SendFrame(ReadOnlySpan<byte> frame)
    {
        if (RarpFrame.TryGetSender(frame, out MacAddress mac))
        {
            _requests.Announce(mac);
        }
    }

    /// <summary>The virtio-net device goes.</summary>
    public void Destroy()
    {
        if (_isDestroyed)
        {
            return;
        }

        _isDestroyed = true;
        _connection.Channel.Drop();
        _connection.Channel.Release();
        _host.ArmTimer(Number, 0);
        _session.State = ClientState.Disconnected;
        _host.Unregister(Number);
    }

    /// <summary>Tells the server what the driver acknowledged.</summary>
    public int SetFeatures(ulong features) => _requests.SetFeatures(features);

    /// <summary>Tells the server which offloads are on and which address the interface has; once more only when that has changed.</summary>
    /// <param name="offloads">virtio-net feature bits; others than guest offloads do not count.</param>
    /// <param name="mac">Anything that the driver has set: an address that no interface can have is not passed on.</param>
    public int SetDriverState(ulong offloads, MacAddress mac) => _requests.SetDriverState(offloads, mac);

    /// <summary>Announces the guest's RAM; a region's user address is its guest address, so that host addresses stay here.</summary>
    /// <param name="sections">The RAM.</param>
    /// <param name="backings">What is behind it, for the log: a server may refuse it.</param>
    public int SetMemory(ReadOnlySpan<MemorySection> sections, ReadOnlySpan<MemoryBacking> backings = default) => _memory.Announce(sections, backings);

    /// <summary>Tells the size of a ring.</summary>
    public int SetVringNum(uint index, uint entries) => _requests.Send(RequestCode.SetVringNum, new VringState(index, entries));

    /// <summary>Tells where a ring stands.</summary>
    public int SetVringBase(uint index, uint position) => _requests.Send(RequestCode.SetVringBase, new VringState(index, position));

    /// <summary>Enables or disables a ring.</summary>
    public int Enable(uint index, bool enable) => _requests.Send(RequestCode.SetVringEnable, new VringState(index, enable ? 1U : 0));

    /// <summary>Tells where a ring is: guest-physical addresses.</summary>
    public int SetVringAddress(uint index, ulong desc, ulong avail, ulong used)
        => _requests.Send(RequestCode.SetVringAddress, new VringAddress(index, 0, desc, used, avail, 0));

    /// <summary>Hands over an eventfd; -1 says that the ring is polled.</summary>
    public int SetVringFile(uint index, RingEndpoint endpoint, int descriptor) => _requests.SetFile(index, endpoint, descriptor);

    /// <summary>Stops a ring: returns when the mirror cannot touch it any more.</summary>
    /// <param name="index">The ring.</param>
    /// <param name="table">Its descriptors, in our own memory.</param>
    /// <param name="device">Its device area.</param>
    /// <returns>Where the ring stands.</returns>
    public uint GetVringBase(uint index, Span<byte> table, ReadOnlySpan<byte> device)
    {
        // Whatever comes of it: a server that did not stop the ring in time has been dropped, and the position is read from the ring.
        Stop(index);
        return _stop.FindPosition(table, device);
    }

    /// <inheritdoc cref="RingStop.Stop"/>
    internal long Stop(uint index) => _stop.Stop(index);

    /// <inheritdoc/>
    public void OnReady(int descriptor, DescriptorEvents events) => _connection.OnReady();

    /// <inheritdoc/>
    public void OnTimer() => _connection.OnTimer();
}
