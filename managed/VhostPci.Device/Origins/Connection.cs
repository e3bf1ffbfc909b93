// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>One origin at a server's socket, from accept to close: takes its messages, and ends with everything that it owns.</summary>
internal sealed class Connection : IReactor, IDisposable
{
    private readonly IHost _host;
    private readonly IOriginServer _server;
    private readonly IChannel _channel;
    private readonly MessageSource<Request> _source;
    private readonly ConnectionTimer _timer;
    private readonly PeerDeadline _deadline;
    private readonly DriverNews _news;
    private readonly ulong _number;
    private readonly DropGuard _guard;
    private readonly RequestPump _pump;

    internal Connection(IHost host, IOriginServer server, IChannel channel, ulong id)
    {
        _host = host;
        _server = server;
        _channel = channel;
        Id = id;
        Peer = channel.Peer;
        _number = host.Register(this);
        _timer = new ConnectionTimer(host, _number, server);
        _deadline = new PeerDeadline(host, _number, channel, server, _timer);
        Claim = new DeviceClaim(server, this, _timer);
        Session = new Session(Claim);
        _source = new MessageSource<Request>(channel, Session);
        var writer = new FrontEndWriter(channel, server, this);
        _news = new DriverNews(server, Session, writer, _timer);
        _guard = new DropGuard(Drop, Close);
        _pump = new RequestPump(host, server, this, _source, writer, _deadline, _guard);
        try
        {
            host.Watch(_number, channel.Descriptor, DescriptorEvents.Read);
            _deadline.Update(isInMessage: false, messages: 0);
            host.Trace(TraceEvent.Accept, id, unchecked((ulong)Peer.Pid), Peer.Uid);
        }
        catch
        {
            // The channel is still the server's.
            AllSteps.Run(
                () => host.Watch(_number, channel.Descriptor, DescriptorEvents.None),
                () => host.ArmTimer(_number, 0),
                () => host.Unregister(_number),
                Session.Dispose);
            throw;
        }
    }

    /// <summary>Counts up from 1 in each server; what traces, log lines and device ids show.</summary>
    internal ulong Id { get; }

    internal PeerCredentials Peer { get; }

    internal Session Session { get; }

    internal DeviceClaim Claim { get; }

    internal IMirrorDevice? Device => Claim.Device;

    /// <summary>Messages received.</summary>
    internal ulong Messages => _pump.Messages;

    internal bool IsClosed { get; private set; }

    internal ConnectionState State => Device?.State ?? (Claim.IsWaiting ? ConnectionState.WaitingForSlot : ConnectionState.Negotiating);

    /// <summary>The device that the guest was asked for on its behalf last.</summary>
    internal IMirrorDevice? MadeRoom { get; set; }

    /// <summary>What the origin calls its device; empty when it has not said.</summary>
    internal string Name => Session.Info?.Name ?? string.Empty;

    internal OriginKey? Key => OriginKey.From(Peer, Session.Info);

    /// <summary>It has had time to say what it is there for, and has not: others may need its place.</summary>
    internal bool IsIdle => !Claim.IsKnown && _deadline.Age >= Budgets.SilenceTimeout;

    public void OnReady(int descriptor, DescriptorEvents events) => _guard.Protect(_pump.Take);

    public void OnTimer() => _guard.Protect(() =>
    {
        // What has come while this VM was stopped, or busy, was in time.
        _timer.OnElapsed();
        _pump.Take();
        if (!IsClosed && _timer.TryTake(Waiting.News))
        {
            SendNews();
        }

        if (!IsClosed && _timer.TryTake(Waiting.Device))
        {
            RetryPlug();
        }

        if (!IsClosed && _deadline.Overdue is { } reason)
        {
            Drop(reason);
        }
    });

    /// <summary>Somebody else needs the place of an idle connection.</summary>
    internal void MakeRoom()
        => Drop($"it has given neither device info nor memory for {_deadline.Age / 1000} s, and somebody else needs its place");

    /// <summary>A slot or address space has become free, or its user may have a new device again.</summary>
    internal void RetryPlug()
    {
        if (!Claim.IsWaiting || IsClosed || _guard.IsBusy)
        {
            return;
        }

        _guard.Protect(() => _guard.Settle(_guard.Act(() =>
        {
            Verdict verdict = Claim.TryPlug();
            return verdict.IsOk ? Session.Runner.Update() : verdict;
        })));
    }

    /// <summary>Sends what the front-end does not know yet about the mirror's driver; without a device it hears all when it gets the next.</summary>
    internal void SendNews()
    {
        if (Device is { } device && !_news.TrySend(device))
        {
            _guard.Fail("it does not read our requests");
        }
    }

    /// <summary>The device could not show the origin's memory or bind its eventfds.</summary>
    internal void OnDeviceFailed(string reason) => _guard.Fail(reason);

    /// <summary>The driver has come up or gone down, or accepts other features.</summary>
    internal void OnDriverChanged()
    {
        if (Device is not { } device || IsClosed)
        {
            return;
        }

        _guard.Protect(() =>
        {
            Verdict verdict = Session.Runner.CheckFeatures(device);
            if (verdict.IsOk)
            {
                SendNews();
            }
            else
            {
                _guard.Fail(verdict.Reason);
            }
        });
    }

    /// <summary>The host took the device away while the origin was connected.</summary>
    internal void OnDeviceRemoved()
    {
        Claim.Drop();
        if (IsClosed)
        {
            return;
        }

        OriginLog.DeviceRemoved(_server.Logger, _server.Id, Peer.Pid, Peer.Uid);
        _guard.End();
    }

    /// <summary>Ends the connection: everything of the peer's is let go before its descriptors are closed.</summary>
    /// <remarks>When a step throws the others are done all the same, so nothing of it stays and the server forgets it.</remarks>
    internal void Close()
    {
        if (IsClosed)
        {
            return;
        }

        IsClosed = true;
        Claim.Drop();
        AllSteps.Run(
            () => _host.Watch(_number, _channel.Descriptor, DescriptorEvents.None),
            () => _host.ArmTimer(_number, 0),
            () => _host.Trace(TraceEvent.Close, Id, 0, 0),
            () => _server.VacateAll(this),
            Session.Dispose,
            _source.Dispose,
            _channel.Dispose,
            () => Claim.SetPairs(1),
            () => _host.Unregister(_number),
            () => _server.OnClosed(this, _channel));
    }

    public void Dispose() => Close();

    /// <summary>Ends the connection because of what the peer did.</summary>
    internal void Drop(string reason)
    {
        if (!IsClosed)
        {
            _server.LogRefusal(Peer, reason);
            Close();
        }
    }
}
