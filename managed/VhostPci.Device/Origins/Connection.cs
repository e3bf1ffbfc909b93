// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>One origin at a server's socket, from accept to close: takes its messages, owns its device until it leaves.</summary>
internal sealed class Connection : IReactor, IOrigin, ISessionOwner, IDisposable
{
    private readonly IHost _host;
    private readonly IOriginServer _server;
    private readonly IChannel _channel;
    private readonly MessageSource<Request> _source;
    private readonly Session _session;
    private readonly ulong _number;
    private readonly byte[] _reply = new byte[MessageHeader.Size + U64Payload.Size];

    private readonly long _accepted;
    private readonly RateBudget _news;

    private bool _inMessage;
    private ulong _messageBefore;
    private long? _speakBy;
    private long? _newsAt;
    private long? _listenAt;
    private bool _unclosed;
    private long? _retryAt;
    private long? _armedFor;
    private bool _busy;
    private bool _closed;
    private string? _failure;
    private ulong _memoryEnd;
    private ulong _windowSize;
    private bool _waitingForSlot;
    private int _devices;
    private int _pairs = 1;
    private ulong? _toldFeatures;
    private bool _toldLink = true;

    internal Connection(IHost host, IOriginServer server, IChannel channel, ulong id)
    {
        _host = host;
        _server = server;
        _channel = channel;
        _session = new Session(this);
        _source = new MessageSource<Request>(channel, _session);
        Id = id;
        Peer = channel.Peer;
        _accepted = server.Now;
        _news = server.NewNewsBudget();
        _number = host.Register(this);
        try
        {
            host.Watch(_number, channel.Descriptor, DescriptorEvents.Read);
            WatchTheClock();
            host.Trace(TraceEvent.Accept, id, unchecked((ulong)Peer.Pid), Peer.Uid);
        }
        catch
        {
            // The channel is still the server's.
            AllSteps.Run(
                () => host.Watch(_number, channel.Descriptor, DescriptorEvents.None),
                () => host.ArmTimer(_number, 0),
                () => host.Unregister(_number),
                _session.Dispose);
            throw;
        }
    }

    /// <summary>Counts up from 1 in each server; what traces, log lines and device ids show.</summary>
    internal ulong Id { get; }

    internal PeerCredentials Peer { get; }

    internal Session Session => _session;

    /// <summary>Messages received.</summary>
    internal ulong Messages { get; private set; }

    /// <summary>What the origin calls its device; empty when it has not said.</summary>
    internal string Name => _session.Info?.Name ?? string.Empty;

    internal OriginKey? Key => OriginKey.From(Peer, _session.Info);

    public IMirrorDevice? Device { get; private set; }

    public bool AllowUnsealed => _server.AllowUnsealed;

    public DeviceClass DefaultClass => _server.Classes[0];

    public DeviceClass? FindClass(ushort virtioId) => _server.Classes.FirstOrDefault(known => known.VirtioId == virtioId);

    public ulong GetAccepted(DeviceClass deviceClass) => _server.GetAccepted(deviceClass);

    public OriginMemory Memory => _session.Memory;

    public ulong Features => _session.Features;

    public ulong EffectiveFeatures => _session.EffectiveFeatures;

    internal bool IsWaitingForSlot => _waitingForSlot;

    internal ConnectionState State => Device?.State ?? (_waitingForSlot ? ConnectionState.WaitingForSlot : ConnectionState.Negotiating);

    /// <summary>It has one, or had.</summary>
    internal bool HadDevice { get; private set; }

    /// <summary>The device that the guest was asked for on its behalf last.</summary>
    internal IMirrorDevice? MadeRoom { get; set; }

    public int RingCount => _session.RingCount;

    public Ring GetRing(int index) => _session.GetRing(index);

    public void OnReady(int descriptor, DescriptorEvents events) => Protect(TakeMessages);

    private void Protect(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception)
        {
            // Our own mistake. The peer may repeat what has led to it, so it has to go; the host hears of the exception as well.
            Refuse($"internal error: {exception.Message}");
            throw;
        }
    }

    private void TakeMessages()
    {
        for (int i = 0; i < Budgets.MessagesPerTurn && !_closed; i++)
        {
            if (!TryListen())
            {
                return;
            }

            ReadStatus status = _source.Read(out string reason);
            switch (status)
            {
                case ReadStatus.Message:
                    Handle();
                    break;
                case ReadStatus.Pending:
                    WatchTheClock();
                    return;
                case ReadStatus.Closed:
                    Close();
                    return;
                default:
                    Refuse(reason);
                    return;
            }
        }

        if (!_closed)
        {
            WatchTheClock();
        }
    }

    public void OnTimer() => Protect(() =>
    {
        // What has come while this VM was stopped, or busy, was in time.
        _armedFor = null;
        TakeMessages();
        if (!_closed && _newsAt <= _server.Now)
        {
            _newsAt = null;
            if (Device is { } device)
            {
                // Without one it hears all when it gets the next.
                TellOrigin(device);
            }

            WatchTheClock();
        }

        if (!_closed && _retryAt <= _server.Now)
        {
            _retryAt = null;
            WatchTheClock();
            RetryPlug();
        }

        if (_closed || _speakBy is not { } due || _server.Now < due)
        {
            return;
        }

        Refuse(_unclosed
            ? $"descriptors that it has sent do not close, for {Budgets.UnclosedTimeout / 1000} s"
            : _inMessage
            ? $"half a message, and no more for {Budgets.MessageTimeout / 1000} s"
            : $"it has said nothing for {Budgets.SilenceTimeout / 1000} s");
    });

    public int MostPairs => _server.QueuesMax;

    public Verdict CheckPairs(int pairs)
    {
        if (pairs > MostPairs)
        {
            return Verdict.Refuse($"{pairs} queue pairs are more than the {MostPairs} of queues-max=");
        }

        return pairs <= _pairs || _server.HasRoomFor(pairs - _pairs)
            ? Verdict.Ok
            : Verdict.Refuse($"{pairs} queue pairs would take {(pairs - _pairs) * Budgets.PairDescriptors} more file descriptors, which are needed for others: "
                + "raise the limit (ulimit -Hn, LimitNOFILE=) or lower connections=");
    }

    public void SetPairs(int pairs)
    {
        _server.ChangePairs(pairs - _pairs);
        _pairs = pairs;
    }

    public Verdict CheckDevice(ulong memoryEnd, out ulong windowSize)
    {
        if (_memoryEnd != 0 && memoryEnd <= _windowSize)
        {
            windowSize = _windowSize;
            return Verdict.Ok;
        }

        return _server.CheckDevice(this, Math.Max(_memoryEnd, memoryEnd), out windowSize);
    }

    public Verdict RequireDevice(ulong memoryEnd, out ulong windowSize)
    {
        bool known = _memoryEnd != 0;
        bool fits = memoryEnd <= _windowSize;
        _memoryEnd = Math.Max(_memoryEnd, memoryEnd);
        Verdict verdict = Verdict.Ok;
        if (!known || !fits)
        {
            GiveUpDevice();
            verdict = TryPlug();
        }

        windowSize = _windowSize;
        return verdict;
    }

    /// <summary>An id that no device has had: QEMU keeps the old one until the guest has let it go.</summary>
    internal string NextDeviceId(string server)
    {
        string id = string.Create(CultureInfo.InvariantCulture, $"{server}.{Id}");
        _devices++;
        return _devices == 1 ? id : string.Create(CultureInfo.InvariantCulture, $"{id}.{_devices}");
    }

    /// <summary>It has had time to say what it is there for, and has not: others may need its place.</summary>
    internal bool IsIdle => _memoryEnd == 0 && _server.Now - _accepted >= Budgets.SilenceTimeout;

    /// <summary>Somebody else needs the place of an idle connection.</summary>
    internal void MakeRoom()
        => Refuse($"it has given neither device info nor memory for {(_server.Now - _accepted) / 1000} s, and somebody else needs its place");

    /// <summary>It may have a new device after that time, if nobody of the same user is faster.</summary>
    internal void RetryPlugIn(TimeSpan wait)
    {
        _retryAt = _server.Now + (long)Math.Ceiling(wait.TotalMilliseconds);
        Arm();
    }

    /// <summary>A slot or address space has become free, or it may have a new device.</summary>
    internal void RetryPlug()
    {
        if (!_waitingForSlot || _closed || _busy)
        {
            return;
        }

        Protect(() =>
        {
            Verdict verdict = Guarded(TryPlugAndUpdate);
            if (!verdict.IsOk)
            {
                Refuse(verdict.Reason);
            }
            else if (_failure is not null)
            {
                Close();
            }
        });
    }

    public void OnDeviceFailed(string reason) => Fail(reason);

    public void OnDriverChanged()
    {
        if (Device is not { } device || _closed)
        {
            return;
        }

        Protect(() =>
        {
            Verdict verdict = _session.CheckFeatures(device);
            if (verdict.IsOk)
            {
                TellOrigin(device);
            }
            else
            {
                Fail(verdict.Reason);
            }
        });
    }

    public void OnDeviceRemoved()
    {
        Device = null;
        if (!_closed)
        {
            OriginLog.DeviceRemoved(_server.Logger, _server.Id, Peer.Pid, Peer.Uid);
            if (_busy)
            {
                _failure ??= string.Empty;
            }
            else
            {
                Close();
            }
        }
    }

    /// <summary>Ends the connection: everything of the peer's is let go before its descriptors are closed.</summary>
    /// <remarks>When a step throws the others are done all the same, so nothing of it stays and the server forgets it.</remarks>
    internal void Close()
    {
        if (_closed)
        {
            return;
        }

        _closed = true;
        Device = null;
        AllSteps.Run(
            () => _host.Watch(_number, _channel.Descriptor, DescriptorEvents.None),
            () => _host.ArmTimer(_number, 0),
            () => _host.Trace(TraceEvent.Close, Id, 0, 0),
            () => _server.VacateAll(this),
            _session.Dispose,
            _source.Dispose,
            _channel.Dispose,
            () => SetPairs(1),
            () => _host.Unregister(_number),
            () => _server.OnClosed(this, _channel));
    }

    public void Dispose() => Close();

    private void Handle()
    {
        Messages++;
        _server.OnMessage();
        _host.Trace(TraceEvent.Message, Id, (uint)_source.Header.Request, _source.Header.PayloadSize);
        MessageHeader header = _source.Header;
        if (_server.Dump is { } dump)
        {
            Span<byte> wire = stackalloc byte[MessageHeader.Size];
            header.Write(wire);
            dump.Write(Id, Peer.Pid, fromOrigin: true, _source.FileCount, wire, _source.Payload);
        }

        int replySize = 0;
        Verdict verdict = Guarded(() => _session.Handle(_source.Message, _source, _reply.AsSpan(MessageHeader.Size), out replySize));
        bool sent = true;
        if (replySize != 0 && verdict.IsOk)
        {
            sent = TryReply(header.Request, replySize);
        }
        else if (header.NeedsReply && (_session.ProtocolFeatures & ProtocolFeatures.ReplyAck) != 0)
        {
            U64Payload.Write(_reply.AsSpan(MessageHeader.Size), verdict.IsOk ? U64Payload.Success : U64Payload.Failure);
            sent = TryReply(header.Request, U64Payload.Size);
        }

        _source.Next();
        if (!verdict.IsOk)
        {
            Refuse(verdict.Reason);
        }
        else if (_failure is not null)
        {
            Close();
        }
        else if (!sent)
        {
            Refuse("it does not read its replies");
        }
    }

    private bool TryReply(RequestCode request, int size)
    {
        new MessageHeader(request, MessageFlags.Version1 | MessageFlags.Reply, (uint)size).Write(_reply);
        return TrySend(_reply.AsSpan(0, MessageHeader.Size + size));
    }

    private bool TrySend(ReadOnlySpan<byte> message)
    {
        _server.Dump?.Write(Id, Peer.Pid, fromOrigin: false, 0, message[..MessageHeader.Size], message[MessageHeader.Size..]);
        return _channel.TrySend(message, [], 0);
    }

    /// <summary>Sends what the origin's front-end does not know yet about the mirror's driver.</summary>
    /// <remarks>The guest may change its mind at any rate; the front-end hears of the latest, at one that it can follow.</remarks>
    private void TellOrigin(IMirrorDevice device)
    {
        ulong accepted = _session.Class.Offered & device.Accepted;
        if (!_session.IsExtended || (accepted == (_toldFeatures ?? _session.OfferedFeatures) && device.IsDriverLinkUp == _toldLink))
        {
            return;
        }

        if (!_news.TryTake(out TimeSpan wait))
        {
            _newsAt ??= _server.Now + (long)Math.Ceiling(wait.TotalMilliseconds);
            Arm();
            return;
        }

        if (accepted != (_toldFeatures ?? _session.OfferedFeatures))
        {
            _toldFeatures = accepted;
            Tell(BackEndRequest.AcceptFeatures, accepted);
        }

        if (device.IsDriverLinkUp != _toldLink)
        {
            _toldLink = device.IsDriverLinkUp;
            Tell(BackEndRequest.SetLink, _toldLink ? 1UL : 0);
        }
    }

    private void Tell(BackEndRequest request, ulong value)
    {
        // Not in the buffer of the reply, which may be half made.
        Span<byte> message = stackalloc byte[MessageHeader.Size + U64Payload.Size];
        new MessageHeader((RequestCode)request, MessageFlags.Version1, U64Payload.Size).Write(message);
        U64Payload.Write(message[MessageHeader.Size..], value);
        if (!TrySend(message))
        {
            Fail("it does not read what it is told");
        }
    }

    /// <summary>Acts for the peer; what fails meanwhile on other ways is a refusal of it, too.</summary>
    private Verdict Guarded(Func<Verdict> action)
    {
        _busy = true;
        try
        {
            Verdict verdict = action();
            return verdict.IsOk && _failure is { Length: > 0 } failure ? Verdict.Refuse(failure) : verdict;
        }
        finally
        {
            _busy = false;
        }
    }

    private Verdict TryPlugAndUpdate()
    {
        Verdict verdict = TryPlug();
        return verdict.IsOk ? _session.Update() : verdict;
    }

    private Verdict TryPlug()
    {
        _retryAt = null;
        PlugResult result = _server.TryGetDevice(this, _memoryEnd, out IMirrorDevice? device, out _windowSize, out string error);
        _waitingForSlot = result == PlugResult.Wait;
        if (result == PlugResult.Refused)
        {
            return Verdict.Refuse(error);
        }

        if (device is null)
        {
            return Verdict.Ok;
        }

        Device = device;
        HadDevice = true;
        if (device.IsNew)
        {
            OriginLog.Plugged(_server.Logger, _server.Id, Name, Peer.Pid, Peer.Uid, device.Id, device.Slot);
        }
        else
        {
            OriginLog.Adopted(_server.Logger, _server.Id, Name, Peer.Pid, Peer.Uid, device.Id);
        }

        TellOrigin(device);
        return _session.OnPlugged(device);
    }

    /// <summary>The origin has outgrown its device.</summary>
    private void GiveUpDevice()
    {
        if (Device is not { } device)
        {
            return;
        }

        OriginLog.Outgrown(_server.Logger, _server.Id, Peer.Pid, Peer.Uid, _memoryEnd, device.Id, Bytes.Format(device.WindowSize));
        _session.Halt();
        Device = null;
        device.Vacate(0);
    }

    /// <summary>
    /// What it has sent and is let go is closed more slowly than it sends: nothing more of it is read until that is done. One more
    /// message can add as many descriptors as a message may have, whatever is in it (ADR 0025).
    /// </summary>
    private bool TryListen()
    {
        bool before = _unclosed;
        _unclosed = _channel.Unclosed > Budgets.UnclosedDescriptors - MessageHeader.MaxDescriptors;
        if (_unclosed != before)
        {
            _host.Watch(_number, _channel.Descriptor, _unclosed ? DescriptorEvents.None : DescriptorEvents.Read);
        }

        if (_unclosed)
        {
            // The time for a message, if it has begun, starts again after this.
            _inMessage = false;
            _speakBy = before ? _speakBy : _server.Now + Budgets.UnclosedTimeout;
        }

        _listenAt = _unclosed ? _server.Now + Budgets.UnclosedPause : null;
        if (_unclosed)
        {
            Arm();
        }

        return !_unclosed;
    }

    /// <summary>Sets what the peer has time for until when: the rest of a message from its beginning, the first one from the accept.</summary>
    private void WatchTheClock()
    {
        bool same = _inMessage && _messageBefore == Messages;
        _inMessage = _source.IsInMessage;
        if (_inMessage)
        {
            _speakBy = same ? _speakBy : _server.Now + Budgets.MessageTimeout;
            _messageBefore = Messages;
        }
        else
        {
            _speakBy = Messages == 0 ? _accepted + Budgets.SilenceTimeout : null;
        }

        Arm();
    }

    /// <summary>One timer for all; the earliest counts.</summary>
    private void Arm()
    {
        long? next = Earlier(Earlier(_speakBy, _listenAt), Earlier(_newsAt, _retryAt));
        if (_armedFor != next)
        {
            _armedFor = next;
            _host.ArmTimer(_number, next is { } due ? (uint)Math.Max(1, due - _server.Now) : 0);
        }
    }

    private static long? Earlier(long? one, long? other) => one is null || other < one ? other : one;

    private void Fail(string reason)
    {
        if (_busy)
        {
            _failure ??= reason;
        }
        else
        {
            Refuse(reason);
        }
    }

    private void Refuse(string reason)
    {
        if (!_closed)
        {
            _server.LogRefusal(Peer, reason);
            Close();
        }
    }
}
