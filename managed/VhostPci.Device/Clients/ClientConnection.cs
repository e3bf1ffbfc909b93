// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>The life of a client's connection: from the chardev's connect through the handshake to its loss, and what the server wants meanwhile.</summary>
internal sealed class ClientConnection
{
    // Long enough to be out of whatever call the loss was noticed in.
    private const uint LinkDownDelay = 1;

    private readonly IHost _host;
    private readonly ulong _number;
    private readonly IClientHost _device;
    private readonly ILogger _logger;
    private readonly ClientSession _session;
    private readonly ClientTroubles _troubles;
    private readonly OriginLink _link;
    private readonly Leftovers _left;
    private readonly ServerWishes _wishes;
    private readonly Handshake _handshake;
    private bool _isWaitingForCloses;

    internal ClientConnection(
        IHost host, ulong number, IClientHost device, ClientSession session, ILogger logger, ClientTroubles troubles, OriginLink link, TimeProvider time, Leftovers left)
    {
        _host = host;
        _number = number;
        _device = device;
        _logger = logger;
        _session = session;
        _troubles = troubles;
        _link = link;
        _left = left;
        _wishes = new ServerWishes(time);
        // A server that refuses our memory has closed by the time of the next message.
        Channel = new ServerChannel(host, number, time, left, reason => OnLost(reason + session.Doubts));
        _handshake = new Handshake(this, session, link, Channel);
    }

    internal ServerChannel Channel { get; }

    /// <summary>The chardev has connected: starts the handshake.</summary>
    internal void Begin(IChannel channel)
    {
        bool waited = _isWaitingForCloses;
        _isWaitingForCloses = _left.AreTooMany;
        if (_isWaitingForCloses)
        {
            WaitForCloses(channel, waited);
            return;
        }

        Channel.Open(channel);
        ClientLog.Connected(_logger, _session.Config.Id, channel.Peer.Pid, channel.Peer.Uid);
        _session.Begin();
        _link.IsPeerUp = true;
        _wishes.Forget();

        // This server knows nothing of the rings yet.
        _link.Update();
        Channel.Watch();
        _host.ArmTimer(_number, VhostPciClient.HandshakeTimeout);
        _handshake.Start();
    }

    /// <summary>The chardev has lost its connection.</summary>
    internal void End()
    {
        Channel.Drop();
        _host.ArmTimer(_number, Channel.IsClosing ? LinkDownDelay : 0);
        _isWaitingForCloses = false;
        _session.State = ClientState.Disconnected;
        _link.Update();
    }

    /// <summary>Takes what the server has sent, and does what it wants.</summary>
    internal void OnReady()
    {
        TakeMessages();
        ApplyWishes();
    }

    internal void OnTimer()
    {
        switch (_session.State)
        {
            case ClientState.Disconnected:
                Channel.Release();
                break;
            case ClientState.Lost:
                _link.Update();
                break;
            case ClientState.Unusable when _isWaitingForCloses && Channel.TakeBack() is { } channel:
                Begin(channel);
                break;
            case ClientState.Connected:
                ApplyWishes();
                break;
            case ClientState.AskedFeatures or ClientState.AskedProtocolFeatures or ClientState.AskedQueues:
                OnLost($"no answer for {VhostPciClient.HandshakeTimeout / 1000} s");
                break;
        }
    }

    /// <summary>The server knows who we are.</summary>
    internal void OnConnected()
    {
        _host.ArmTimer(_number, 0);
        _session.State = ClientState.Connected;
        _link.Update();
        ApplyWishes();
    }

    /// <summary>The link stays down as long as this connection lasts.</summary>
    internal void GiveUp(string reason)
    {
        _host.ArmTimer(_number, 0);
        _session.State = ClientState.Unusable;
        _troubles.Say(ClientLog.Unusable, reason);
    }

    /// <summary>Keeps a request of the server's that comes inside a call that stops the device, which is no moment to change its link.</summary>
    internal bool TryKeepForLater(BackEndMessage message)
    {
        bool kept = _wishes.TryKeep(message);
        if (kept)
        {
            _host.ArmTimer(_number, LinkDownDelay);
        }

        return kept;
    }

    /// <summary>The connection is of no more use. The link goes down from the main loop, since this may be inside a call that starts or stops the device.</summary>
    internal void OnLost(string reason)
    {
        if (!Channel.IsOpen)
        {
            return;
        }

        _troubles.Say(ClientLog.Lost, reason);
        Channel.Drop();
        _session.State = ClientState.Lost;
        _host.ArmTimer(_number, LinkDownDelay);
        _device.Disconnect();
    }

    private void WaitForCloses(IChannel channel, bool waited)
    {
        // Not read, so that it leaves nothing more to close; the chardev sees when it ends. It may be innocent, so it gets its turn.
        Channel.KeepBack(channel);
        if (!waited)
        {
            GiveUp("descriptors that servers of this process's clients have sent are still being closed: it waits for that");
            _link.Update();
        }

        _host.ArmTimer(_number, Budgets.AcceptPause);
    }

    private void TakeMessages()
    {
        for (int i = 0; i < Budgets.MessagesPerTurn && Channel.IsOpen; i++)
        {
            switch (Channel.Read(out BackEndMessage? message, out RequestCode request, out string reason))
            {
                case ReadStatus.Message:
                    if (!_wishes.TryKeep(message!) && !_handshake.TryTake(message!))
                    {
                        OnLost($"unexpected reply {(uint)request}");
                    }

                    break;
                case ReadStatus.Pending:
                    return;
                case ReadStatus.Closed:
                    OnLost($"it closed the connection; its log has the reason{_session.Doubts}");
                    return;
                default:
                    OnLost(reason);
                    return;
            }
        }
    }

    private void ApplyWishes()
    {
        if (!_session.IsConnected)
        {
            return;
        }

        if (_wishes.TryTake(out (ulong? Features, bool? IsUp) wish, out uint wait))
        {
            _link.IsPeerUp = wish.IsUp ?? _link.IsPeerUp;
            _link.ApplyServerFeatures(wish.Features ?? _session.ServerFeatures);
        }
        else if (wait != 0)
        {
            _host.ArmTimer(_number, wait);
        }
    }
}
