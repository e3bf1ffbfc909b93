// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Clients;

/// <summary>The front-end: the origin's half of the protocol, for one virtio-net device.</summary>
/// <remarks>
/// The handshake is asynchronous; requests of the running device wait for room, and for one reply, a bounded time. A server is
/// trusted no more than a server trusts its clients: see <see cref="WaitBudget"/>, <see cref="RequestBudget"/> and <see cref="ClientTroubles"/>.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "Destroy is called by the host at the end of the device; the channel goes earlier, with the connection.")]
public sealed partial class VhostPciClient : IReactor
{
    internal const uint HandshakeTimeout = 5000;

    // Long enough to be out of whatever call the loss was noticed in.
    private const uint LinkDownDelay = 1;

    private readonly IHost _host;
    private readonly IClientHost _device;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly ClientTroubles _troubles;
    private readonly WaitBudget _waits;
    private readonly RequestBudget _requests;
    private IChannel? _channel;
    private readonly Leftovers _left;
    private IChannel? _leaving;
    private MessageSource<BackEndMessage>? _source;
    private ulong _serverFeatures = ulong.MaxValue;
    private ulong _protocolFeatures;
    private ulong _acknowledged;
    private bool _peerIsUp = true;
    private ulong? _lateFeatures;
    private bool? _lateLink;
    private string _doubts = string.Empty;
    private bool _waitsForCloses;
    private bool _destroyed;

    internal VhostPciClient(IHost host, IClientHost device, ClientConfig config, ILogger logger, TimeProvider time, Leftovers left)
    {
        _host = host;
        _device = device;
        _logger = logger;
        _time = time;
        _left = left;
        Config = config;
        _troubles = new ClientTroubles(logger, config.Id, time);
        _waits = new WaitBudget(time, TimeSpan.FromMilliseconds(Budgets.ServerWait));
        _requests = new RequestBudget(time);
        Number = host.Register(this);
    }

    /// <summary>Its number in the host's eyes.</summary>
    public ulong Number { get; }

    /// <summary>Virtio features that the device may offer to its driver: fixed, so that they do not depend on whether the server is there.</summary>
    /// <remarks>Not in-order: QEMU's virtio-net does not know it.</remarks>
    public ulong OfferedFeatures => VirtioNetFeatures.Offered & ~VirtioFeatures.VhostUserProtocolFeatures & ~VirtioFeatures.InOrder
        & ~(Config.Info.QueuePairs > 1 ? 0 : VirtioNetFeatures.MultiQueue);

    internal ClientConfig Config { get; }

    internal ClientState State { get; private set; }

    internal bool IsLinkUp { get; private set; }

    /// <summary>The driver uses features that it must not use any more.</summary>
    internal bool NeedsReset { get; private set; }

    /// <summary>What the device may offer as long as this server is there.</summary>
    internal ulong AllowedFeatures => OfferedFeatures & _serverFeatures;

    internal ulong AcknowledgedFeatures => _acknowledged;

    private static ulong NeededProtocolFeatures => ProtocolFeatures.VhostPci;

    /// <summary>The chardev has connected: start the handshake.</summary>
    public void Connected(IChannel channel)
    {
        ArgumentNullException.ThrowIfNull(channel);
        DropChannel();
        LetGo();
        StartOver(channel);
    }

    private void StartOver(IChannel channel)
    {
        if (_destroyed)
        {
            _left.Dispose(channel);
            return;
        }

        if (_left.AreTooMany)
        {
            // Not read, so that it leaves nothing more to close; the chardev sees when it ends. It may be innocent, so it gets its turn.
            _leaving = channel;
            if (!_waitsForCloses)
            {
                GiveUp("descriptors that servers of this process's clients have sent are still being closed: it waits for that");
                UpdateLink();
            }

            _waitsForCloses = true;
            _host.ArmTimer(Number, Budgets.AcceptPause);
            return;
        }

        _waitsForCloses = false;

        _channel = channel;
        _source = new MessageSource<BackEndMessage>(channel, BackEndTable.Instance);
        ClientLog.Connected(_logger, Config.Id, channel.Peer.Pid, channel.Peer.Uid);
        State = ClientState.AskedFeatures;
        _peerIsUp = true;
        _lateFeatures = null;
        _lateLink = null;
        _doubts = string.Empty;
        ForgetTold();

        // This server knows nothing of the rings yet.
        UpdateLink();
        _host.Watch(Number, channel.Descriptor, DescriptorEvents.Read);
        _host.ArmTimer(Number, HandshakeTimeout);
        Send(RequestCode.GetFeatures, []);
    }

    /// <summary>The chardev has lost its connection.</summary>
    public void Disconnected()
    {
        DropChannel();
        _host.ArmTimer(Number, _leaving is null ? 0 : LinkDownDelay);
        _waitsForCloses = false;
        State = ClientState.Disconnected;
        UpdateLink();
    }

    /// <summary>The device's driver has been reset, or has chosen features.</summary>
    public void DriverNegotiated()
    {
        if (NeedsReset && (_device.DriverFeatures & OfferedFeatures & ~_serverFeatures) == 0)
        {
            NeedsReset = false;
            UpdateLink();
        }
    }

    /// <summary>QEMU itself sends a frame for the device, which it does to announce its address.</summary>
    public void SendFrame(ReadOnlySpan<byte> frame)
    {
        if (State == ClientState.Connected && (_protocolFeatures & ProtocolFeatures.Rarp) != 0 && RarpFrame.TryGetSender(frame, out MacAddress mac))
        {
            Span<byte> payload = stackalloc byte[U64Payload.Size];
            new RarpPayload(Current(mac)).Write(payload);
            Send(RequestCode.SendRarp, payload);
        }
    }

    /// <summary>The virtio-net device goes.</summary>
    public void Destroy()
    {
        if (_destroyed)
        {
            return;
        }

        _destroyed = true;
        DropChannel();
        LetGo();
        _host.ArmTimer(Number, 0);
        State = ClientState.Disconnected;
        _host.Unregister(Number);
    }

    /// <inheritdoc/>
    public void OnReady(int descriptor, DescriptorEvents events)
    {
        TakeMessages();
        ApplyRequests();
    }

    private void TakeMessages()
    {
        for (int i = 0; i < Budgets.MessagesPerTurn && _source is { } source; i++)
        {
            switch (source.Read(out string reason))
            {
                case ReadStatus.Message:
                    (BackEndMessage message, RequestCode request) = (source.Message, source.Header.Request);
                    source.Next();
                    Take(message, request);
                    break;
                case ReadStatus.Pending:
                    return;
                case ReadStatus.Closed:
                    Lose($"it closed the connection; its log has the reason{_doubts}");
                    return;
                default:
                    Lose(reason);
                    return;
            }
        }
    }

    /// <inheritdoc/>
    public void OnTimer()
    {
        switch (State)
        {
            case ClientState.Disconnected:
                LetGo();
                break;
            case ClientState.Lost:
                UpdateLink();
                break;
            case ClientState.Unusable when _waitsForCloses && _leaving is { } channel:
                _leaving = null;
                StartOver(channel);
                break;
            case ClientState.Connected:
                ApplyRequests();
                break;
            case ClientState.AskedFeatures or ClientState.AskedProtocolFeatures or ClientState.AskedQueues:
                Lose($"no answer for {HandshakeTimeout / 1000} s");
                break;
        }
    }

    private void Take(BackEndMessage message, RequestCode request)
    {
        switch (message, State)
        {
            case (NumberReply { Request: RequestCode.GetFeatures } reply, ClientState.AskedFeatures):
                TakeFeatures(reply.Value);
                break;
            case (NumberReply { Request: RequestCode.GetProtocolFeatures } reply, ClientState.AskedProtocolFeatures):
                TakeProtocolFeatures(reply.Value);
                break;
            case (NumberReply { Request: RequestCode.GetQueueNum } reply, ClientState.AskedQueues):
                TakeQueues(reply.Value);
                break;
            default:
                if (!TryNote(message))
                {
                    Lose($"unexpected reply {(uint)request}");
                }

                break;
        }
    }

    /// <summary>Keeps a request of the server's until its turn comes; a later one of its kind replaces it.</summary>
    private bool TryNote(BackEndMessage message)
    {
        switch (message)
        {
            case AcceptFeatures accept:
                _lateFeatures = accept.Features;
                return true;
            case SetLink link:
                _lateLink = link.IsUp;
                return true;
            default:
                return false;
        }
    }

    /// <summary>Does what the server has come to want. When it wants something new all the time, that is looked at again later.</summary>
    private void ApplyRequests()
    {
        if (State != ClientState.Connected || (_lateFeatures is null && _lateLink is null))
        {
            return;
        }

        if (!_requests.TryTake(out uint wait))
        {
            _host.ArmTimer(Number, wait);
            return;
        }

        _peerIsUp = _lateLink ?? _peerIsUp;
        ulong features = _lateFeatures ?? _serverFeatures;
        _lateLink = null;
        _lateFeatures = null;
        Allow(features);
    }

    private void TakeFeatures(ulong features)
    {
        if ((features & VirtioFeatures.VhostUserProtocolFeatures) == 0)
        {
            GiveUp("the server is not a vhost-pci server: it has no protocol features");
            return;
        }

        Allow(features);
        State = ClientState.AskedProtocolFeatures;
        Send(RequestCode.GetProtocolFeatures, []);
    }

    private void TakeProtocolFeatures(ulong features)
    {
        ulong missing = NeededProtocolFeatures & ~features;
        if (missing != 0)
        {
            GiveUp($"the server is not a vhost-pci server: protocol features 0x{missing:x} are missing");
            return;
        }

        State = ClientState.AskedQueues;
        _protocolFeatures = NeededProtocolFeatures | (features & (ProtocolFeatures.MultiQueue | ProtocolFeatures.Rarp | ProtocolFeatures.DriverState));
        if (Send(RequestCode.SetProtocolFeatures, _protocolFeatures))
        {
            Send(RequestCode.GetQueueNum, []);
        }
    }

    private void TakeQueues(ulong pairs)
    {
        if (pairs < Config.Info.QueuePairs)
        {
            GiveUp($"the server takes {pairs} queue pairs and this device has {Config.Info.QueuePairs}: lower vhost-pci-queues=");
            return;
        }

        Span<byte> info = stackalloc byte[DeviceInfo.Size];
        Config.Info.Write(info);
        if (!Send(RequestCode.SetOwner, []) || !Send(RequestCode.SetDeviceInfo, info))
        {
            return;
        }

        _host.ArmTimer(Number, 0);
        State = ClientState.Connected;
        UpdateLink();
        ApplyRequests();
    }

    /// <summary>The other end takes no more than these features: a driver that uses others has to start again with less.</summary>
    private void Allow(ulong features)
    {
        _serverFeatures = features;
        _device.Offer(AllowedFeatures);
        ulong excess = _device.DriverFeatures & OfferedFeatures & ~features;
        bool ask = excess != 0 && !NeedsReset;
        NeedsReset = excess != 0;
        UpdateLink();
        if (ask)
        {
            _troubles.NeedsReset(FeatureNames.Format(excess));
            _device.AskForReset();
        }
    }

    private void GiveUp(string reason)
    {
        _host.ArmTimer(Number, 0);
        State = ClientState.Unusable;
        _troubles.Unusable(reason);
    }

    /// <summary>The connection is of no more use. The link goes down from the main loop, since this may be inside a call that starts or stops the device.</summary>
    private void Lose(string reason)
    {
        if (_channel is null)
        {
            return;
        }

        _troubles.Lost(reason);
        DropChannel();
        State = ClientState.Lost;
        _host.ArmTimer(Number, LinkDownDelay);
        _device.Disconnect();
    }

    private void DropChannel()
    {
        if (_channel is { } channel)
        {
            _host.Watch(Number, channel.Descriptor, DescriptorEvents.None);
            _source?.Dispose();
            channel.ShutDown();
            _source = null;
            _channel = null;
            _leaving = channel;
        }
    }

    /// <summary>
    /// The chardev has closed its descriptor of the connection, so ours is the last: what the server has sent and nobody has read
    /// goes with it, where nobody waits. The other way round it would go with the chardev's, on the VM's main thread.
    /// </summary>
    private void LetGo()
    {
        if (_leaving is { } channel)
        {
            _leaving = null;
            _left.Dispose(channel);
        }
    }

    private void UpdateLink()
    {
        bool up = State == ClientState.Connected && _peerIsUp && !NeedsReset;
        if (up == IsLinkUp)
        {
            return;
        }

        IsLinkUp = up;
        _host.Trace(TraceEvent.ClientLink, Number, up ? 1UL : 0, 0);
        _device.SetLink(up);
    }

    private bool Send(RequestCode request, ulong value)
    {
        Span<byte> payload = stackalloc byte[U64Payload.Size];
        U64Payload.Write(payload, value);
        return Send(request, payload);
    }

    private bool Send(RequestCode request, ReadOnlySpan<byte> payload, ReadOnlySpan<int> descriptors = default)
    {
        if (_channel is not { } channel)
        {
            return false;
        }

        Span<byte> buffer = stackalloc byte[MessageWriter.MaxSize];
        ReadOnlySpan<byte> message = MessageWriter.Write(buffer, request, MessageFlags.None, payload);
        _host.Trace(TraceEvent.ClientMessage, Number, (uint)request, (ulong)payload.Length);
        long start = _time.GetTimestamp();
        bool sent = channel.TrySend(message, descriptors, Math.Min(Budgets.SendTimeout, _waits.Left(start)));
        _waits.Charge(start);
        if (sent)
        {
            return true;
        }

        Lose("it is gone or does not read");
        return false;
    }
}
