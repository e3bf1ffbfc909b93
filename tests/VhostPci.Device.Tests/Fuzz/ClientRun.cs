// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text.Json;
using VhostPci.Device.Clients;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Takes a client and its model through what a server, a chardev and a driver can do.</summary>
internal sealed class ClientRun
{
    private const int NotConnected = -107;
    private const int BrokenPipe = -32;
    private const int InvalidArgument = -22;
    private const int TimedOut = -110;

    private readonly IPorts _ports;
    private readonly FakeHost _host = new();
    private readonly FakeNic _nic = new();
    private readonly VhostPciLibrary _library;
    private readonly VhostPciClient _client;
    private readonly ClientModel _model;

    /// <summary>What the client sends must be what our server takes.</summary>
    private readonly List<byte> _heard = [];
    private IPeer? _server;
    private bool _serverReads = true;
    private bool _serverClosed;
    private int _room;
    private int? _readsAfter;
    private long _since;
    private long _slow;
    private long _handshakeSince;
    private int _messages;

    private ClientRun(IPorts ports)
    {
        _ports = ports;
        _library = new VhostPciLibrary(_host, ports.Windows, new LogList(), _host.Time);
        _client = _library.CreateClient(
            _nic, new ClientConfig("nic", new DeviceInfo(VirtioDeviceId.Net, ClientModel.QueuePairs, Guid.Empty, default, 0, IPorts.MemorySize, "nic")));
        _model = new ClientModel();
    }

    /// <summary>Runs the steps.</summary>
    /// <returns>Messages of the server, right and wrong ones.</returns>
    internal static int Play(IPorts ports, ReadOnlySpan<ClientStep> steps, Reached reached)
    {
        var run = new ClientRun(ports);
        run.ChardevConnects();
        foreach (ClientStep step in steps)
        {
            run.Do(step);
            run.Check();
        }

        run.Finish();
        reached.Add("links up", run._model.LinksUp);
        reached.Add("connections lost", run._model.Losses);
        if (ports.TimeIsOurs)
        {
            reached.Add("late answers", run._model.LateAnswers);
            reached.Add("messages that waited for room", run._slow);
            reached.Add("stops given up", run._model.TimesUp);
        }

        return run._messages;
    }

    private void Do(ClientStep step)
    {
        _room = _server!.Room;
        _since = _host.Time.Milliseconds;
        switch (step.Act)
        {
            case ClientAct.Answer:
                Say(Answer(step), step);
                break;
            case ClientAct.Reply:
                Say(Reply(step.Request, step.Index, step.Value), step);
                break;
            case ClientAct.Junk:
                Say(Messages.Junk(new Step(Act.Junk, 0, step.Request, step.Index, step.Value, Flaw.None, step.At)), step with { Flaw = Flaw.None });
                break;
            case ClientAct.ServerCloses when step.At % 4 == 0 && _server is not null && !_serverClosed:
                _serverClosed = true;
                _server.Dispose();
                _model.Lose();
                Pump();
                break;
            case ClientAct.ServerStopsReading when step.At % 4 == 0:
                _serverReads = false;
                break;
            case ClientAct.ServerReadsLate when _ports.TimeIsOurs && !_serverClosed && _model.IsUsable:
                _serverReads = false;
                _readsAfter = 1 + (step.At / 4);
                _server.ReadAfter(_readsAfter.Value);
                break;
            case ClientAct.ChardevConnects when step.At % 2 == 0 || !_model.IsConnected:
                ChardevConnects();
                break;
            case ClientAct.ChardevDisconnects when step.At % 4 == 0:
                _client.Disconnected();
                _model.Disconnect();
                break;
            case ClientAct.Time:
                Pass(1 + (step.At * 2));
                break;
            case ClientAct.SetFeatures:
                SetFeatures(step.Value != 0 ? step.Value : VirtioFeatures.Version1);
                break;
            case ClientAct.SetMemory:
                SetMemory(step);
                break;
            case ClientAct.SetRing:
                Expect(_client.SetVringNum(step.Index, (uint)step.Value), MessageHeader.Size + 8);
                Expect(_client.SetVringBase(step.Index, (uint)step.At), MessageHeader.Size + 8);
                Expect(_client.SetVringAddress(step.Index, step.Value, step.Value, step.Value), MessageHeader.Size + 40);
                Expect(_client.Enable(step.Index, step.At % 2 == 0), MessageHeader.Size + 8);
                break;
            case ClientAct.SetFile:
                int file = step.At % 4 == 0 ? -1 : _ports.Own(FileKind.Event);
                Expect(_client.SetVringFile(step.Index, (RingEndpoint)(step.At % 3), file), MessageHeader.Size + 8);
                break;
            case ClientAct.GetBase:
                GetBase(step);
                break;
            case ClientAct.Start when !_model.IsUsable:
                ChardevConnects();
                while (_model.IsInHandshake)
                {
                    Say(Answer(step with { At = 1 }), step with { Flaw = Flaw.None });
                }

                break;
            case ClientAct.StopAll:
                for (uint ring = 0; ring < 2 * ClientModel.QueuePairs; ring++)
                {
                    GetBase(step with { Index = ring, At = (step.At + (int)(ring * 1237)) % 4096, Flaw = Flaw.None });
                }

                break;
            case ClientAct.Switch when _serverReads && !_serverClosed:
                MacAddress mac = MacAddress.Read(BitConverter.GetBytes(step.Value + (ulong)step.At));
                Assert.Equal(_model.IsUsable ? 0 : NotConnected, _client.SetDriverState(step.Value ^ (ulong)step.At, mac));
                Listen();
                _room = _server?.Room ?? _room;
                break;
            case ClientAct.Report:
                JsonDocument.Parse(_library.ReportJson(Rig.Runtime)).Dispose();
                Assert.Contains("client nic: ", System.Text.Encoding.UTF8.GetString(_library.ReportText(Rig.Runtime, verbose: true)), StringComparison.Ordinal);
                break;
        }
    }

    private static Message Reply(RequestCode request, uint index, ulong value)
    {
        byte[] payload = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(payload, value);
        if (request == RequestCode.GetVringBase)
        {
            new VringState(index, (uint)value).Write(payload);
        }

        byte[] buffer = new byte[MessageHeader.Size + payload.Length];
        return new Message(MessageWriter.Write(buffer, request, MessageFlags.Reply, payload).ToArray(), []);
    }

    private Message Answer(ClientStep step) => _model.Asked switch
    {
        RequestCode.GetFeatures => Reply(RequestCode.GetFeatures, 0, VirtioNetFeatures.Offered & ~(step.At % 8 == 0 ? step.Value : 0)),
        RequestCode.GetProtocolFeatures => Reply(RequestCode.GetProtocolFeatures, 0, ProtocolFeatures.Offered & ~(step.At % 8 == 0 ? step.Value : 0)),
        RequestCode.GetQueueNum => Reply(RequestCode.GetQueueNum, 0, step.At % 16 == 0 ? step.Index : 32),
        _ => Reply(RequestCode.GetVringBase, step.Index, step.Value),
    };

    private void ChardevConnects()
    {
        _server?.Dispose();
        _heard.Clear();
        (_server, IChannel channel) = _ports.ConnectClient(milliseconds => _host.Time.Milliseconds += milliseconds);
        _serverReads = true;
        _readsAfter = null;
        _serverClosed = false;
        _handshakeSince = _host.Time.Milliseconds;
        _model.Connect();
        _client.Connected(channel);
        Listen();
    }

    /// <summary>The server says something, and the client hears it.</summary>
    private void Say(Message message, ClientStep step)
    {
        if (_server is null || _serverClosed)
        {
            return;
        }

        _messages++;
        foreach ((byte[] bytes, FileKind[] files) in Pieces(message, step))
        {
            _server.Send(bytes, files);
            bool wasInHandshake = _model.IsInHandshake;
            _model.Take(bytes, files.Length);
            Pump();
            if (wasInHandshake && !_serverReads)
            {
                // Its next request may have found no room; nobody can tell from outside.
                Adopt();
                Charge(inVain: false);
            }
        }
    }

    private static IEnumerable<(byte[] Bytes, FileKind[] Files)> Pieces(Message message, ClientStep step)
    {
        message = Messages.Spoil(message, step.Flaw, step.At);
        bool late = step.Flaw == Flaw.LateFiles;
        int first = late || step.Flaw == Flaw.Split ? Math.Min(1 + (step.At % message.Bytes.Length), message.Bytes.Length - 1) : message.Bytes.Length;
        if (first != 0)
        {
            yield return (message.Bytes[..first], late ? [] : message.Files);
        }

        if (first != message.Bytes.Length)
        {
            yield return (message.Bytes[first..], late ? [FileKind.Event] : []);
        }
    }

    private void SetFeatures(ulong features)
    {
        _model.Acknowledged = features & _client.OfferedFeatures;
        int result = _client.SetFeatures(features);
        if (_model.IsUsable && (_model.Acknowledged & ~_model.ServerFeatures) != 0)
        {
            Assert.Equal(InvalidArgument, result);
            return;
        }

        Expect(result, MessageHeader.Size + 8);
    }

    private void SetMemory(ClientStep step)
    {
        int memory = _ports.Own(FileKind.Memory);
        MemorySection[] sections = (step.At % 4) switch
        {
            0 => [],
            1 => [.. Enumerable.Range(0, (int)step.Index * 4).Select(i => new MemorySection((ulong)i << 30, 4096, 0, memory))],
            2 => [new(0, step.Value, 0, memory), new(4096, 4096, 4096, memory)],
            _ => [new(0, 0xa0000, 0, memory), new(0x100000, 0x100000, 0x100000, memory)],
        };
        int result = _client.SetMemory(sections);
        bool wrong = (step.At % 4) switch
        {
            0 => true,
            1 => step.Index is 0 or 3,
            2 => step.Value is 0 or > 4096,
            _ => false,
        };
        if (wrong && _model.IsUsable)
        {
            Assert.Equal(InvalidArgument, result);
        }
        else
        {
            int regions = step.At % 4 == 1 ? (int)step.Index * 4 : 1;
            Expect(result, MessageHeader.Size + 8 + (32 * regions));
        }
    }

    private void GetBase(ClientStep step)
    {
        if (!_model.IsUsable)
        {
            Assert.Equal(NotConnected, _client.Stop(step.Index));
            return;
        }

        long sending = 0;
        _since = _host.Time.Milliseconds;
        if (!_serverClosed && !AwaitRoom(_server!.Room, MessageHeader.Size + 8, out sending))
        {
            _model.Lose();
            Assert.Equal(BrokenPipe, _client.Stop(step.Index));
            Charge(sending, inVain: true);
            return;
        }

        long left = _model.Left(_since) - sending;
        if (_serverClosed || (step.At % 16 == 0 && _ports.TimeIsOurs))
        {
            Ask(step, _serverClosed ? BrokenPipe : TimedOut, _serverClosed ? 0 : sending + left);
            return;
        }

        // The answer is there before the question, or comes while the client waits: nobody else runs then.
        _messages++;
        int delay = _ports.TimeIsOurs && step.Value == 0 && (step.At & 16) != 0 ? 1 + ((step.At >> 5) * 16) : 0;
        long waited = 0;
        long? expected = null;
        var queued = new List<byte>();
        Message message = step.At % 5 == 0 ? Reply(step.Request, step.Index, step.Value) : Answer(step);
        foreach ((byte[] bytes, FileKind[] files) in Pieces(message, step))
        {
            Send(delay, bytes, files);
            if (expected is null && delay != 0 && waited + delay >= left)
            {
                expected = TimedOut;
            }

            int taken = 0;
            if (expected is null)
            {
                waited += delay;
                expected = _model.TakeBase(bytes, files.Length, step.Index, out taken);
            }

            if (expected >= 0)
            {
                queued.AddRange(bytes.AsSpan(taken));
            }
        }

        if (expected is null && !_ports.TimeIsOurs)
        {
            // It would wait for two seconds.
            _serverClosed = true;
            _server!.Dispose();
            expected = BrokenPipe;
        }

        expected ??= TimedOut;
        Ask(step, expected.Value, sending + (expected == TimedOut ? left : waited));
        _server!.SendRest();
        _model.Take(queued.ToArray(), 0);
        Pump();
    }

    private void Send(int delay, byte[] bytes, FileKind[] files)
    {
        if (delay == 0)
        {
            _server!.Send(bytes, files);
        }
        else
        {
            _server!.SendLater(delay, bytes, files);
        }
    }

    private void Ask(ClientStep step, long expected, long waited)
    {
        long result = _client.Stop(step.Index);
        if (expected < 0)
        {
            _model.Lose();
        }

        Assert.Equal(expected, result);
        Charge(waited, expected == TimedOut);
        Listen();
    }

    /// <summary>Whether a message will be sent, and how long its sender waits for that.</summary>
    private bool AwaitRoom(int room, int size, out long waited)
    {
        waited = 0;
        if (_serverReads || room < 0 || size <= room)
        {
            return true;
        }

        long left = _model.LeftToSend(_since);
        bool inTime = _readsAfter < left;
        waited = inTime ? _readsAfter!.Value : left;
        return inTime;
    }

    /// <summary>The client has waited since the last time.</summary>
    private void Charge(bool inVain) => Charge(_host.Time.Milliseconds - _since, inVain);

    private void Charge(long expected, bool inVain)
    {
        long now = _host.Time.Milliseconds;
        Assert.Equal(expected, now - _since);
        _model.Wait(expected, now, inVain);
        _since = now;
    }

    /// <summary>Judges the result of a request that has no answer.</summary>
    private void Expect(int result, int size)
    {
        if (!_model.IsUsable)
        {
            Assert.Equal(NotConnected, result);
            return;
        }

        long waited = 0;
        bool sent = !_serverClosed && AwaitRoom(_room, size, out waited);
        if (!sent)
        {
            _model.Lose();
        }

        Assert.Equal(sent ? 0 : BrokenPipe, result);
        Charge(waited, inVain: waited != 0 && !sent);
        _slow += waited != 0 && sent ? 1 : 0;
        _room = _server!.Room;
        Listen();
    }

    /// <summary>The server reads: each message must be one that a server takes.</summary>
    private void Listen()
    {
        if (!_serverReads || _serverClosed)
        {
            return;
        }

        _ = _server!.Receive(_heard);
        while (_heard.Count >= MessageHeader.Size)
        {
            MessageHeader header = MessageHeader.Read(_heard.ToArray());
            (int payload, _, _) = OriginModel.Syntax(header.Request, (int)header.PayloadSize) ?? throw new Xunit.Sdk.XunitException($"sent {header}");
            Assert.Equal(payload, (int)header.PayloadSize);
            Assert.Equal(MessageFlags.Version1, header.Flags);
            if (_heard.Count < MessageHeader.Size + payload)
            {
                break;
            }

            _heard.RemoveRange(0, MessageHeader.Size + payload);
        }
    }

    private void Pass(long milliseconds)
    {
        if (_model.IsInHandshake && _host.Time.Milliseconds + milliseconds - _handshakeSince >= VhostPciClient.HandshakeTimeout)
        {
            _model.Lose();
        }

        _host.Advance(milliseconds);
        _model.Settle();
    }

    private void Pump()
    {
        _host.Pump(2);
        Listen();
    }

    /// <summary>The client has found out about the loss, or it has not.</summary>
    private void Adopt()
    {
        if (_nic.Disconnects > _model.Losses)
        {
            _model.Lose();
        }
    }

    private void Check()
    {
        Assert.Equal(_model.Losses, _nic.Disconnects);
        Assert.Equal(_model.Link, _nic.Link);
        Assert.Equal(_model.IsConnected ? 1 : 0, _host.Watches);
        Assert.Equal(1, _host.Reactors);
    }

    private void Finish()
    {
        _library.Destroy(_client);
        _library.Destroy(_client);
        _server?.Dispose();
        Assert.Equal(0, _host.Watches);
        Assert.Equal(0, _host.Timers);
        Assert.Equal(0, _host.Reactors);
        _ports.AssertNothingLeft();
    }
}
