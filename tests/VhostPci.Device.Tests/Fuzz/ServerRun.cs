// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using VhostPci.Device.Devices;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Takes a server and its models through a sequence of steps, and compares them after each.</summary>
internal sealed class ServerRun : IDisposable
{
    private readonly IPorts _ports;
    private readonly FakeHost _host = new();
    private readonly LogList _log = new();
    private readonly FuzzBridge _bridge;
    private readonly VhostPciLibrary _library;
    private readonly VhostPciServer _server;
    private readonly MirrorModel _mirror;
    private readonly MemoryDump? _dump;
    private readonly Contents[] _memory = [.. Enumerable.Range(0, Step.Peers).Select(static _ => new Contents())];
    private readonly Origin?[] _origins = new Origin?[Step.Peers];
    private readonly List<Origin> _connected = [];
    private bool _held;

    private ServerRun(IPorts ports, Setup setup)
    {
        _mirror = new MirrorModel(setup) { Retry = Retry };
        _dump = setup.Dump < 0 ? null : new MemoryDump(setup.Dump);
        _ports = ports;
        _bridge = new FuzzBridge(ports);
        _library = new VhostPciLibrary(_host, ports.Windows, _log, _host.Time);
        var config = new ServerConfig
        {
            Id = "srv",
            Connections = Step.Peers,
            SlotSize = MirrorModel.SlotSize,
            MaxMemory = 1UL << 30,
            PhysBits = MirrorModel.PhysBits,
            Slots = MirrorModel.Slots,
            UnplugDelay = setup.UnplugDelay,
            SlotBuses = setup.Ports == 0 ? null : [.. Enumerable.Range(0, setup.Ports).Select(static port => $"port{port}")],
            PlugRate = 0,
        };
        Assert.True(_library.TryCreateServer(_bridge, ports.Listener, config, out VhostPciServer? server, out string error, _dump), error);
        _server = server!;
        _bridge.Server = _server;
        for (int i = 0; i < setup.Statics; i++)
        {
            bool isForNobody = i != 0;
            _bridge.AddStatic(new StaticConfig { Bus = "pcie.0", Slot = i, QueuePairs = 2, PeerName = isForNobody ? Setup.Nobody : null });
            var device = new DeviceModel(_mirror, null, MirrorModel.SlotSize, 4) { IsForNobody = isForNobody };
            _mirror.Devices.Add(device);
        }
    }

    private int MessagesSent { get; set; }

    /// <summary>Runs the steps.</summary>
    /// <returns>Messages sent, right and wrong ones.</returns>
    internal static int Play(IPorts ports, ReadOnlySpan<Step> steps, Reached reached)
    {
        using var run = new ServerRun(ports, Setup.Of(steps));
        foreach (Step step in steps)
        {
            run.Do(step);
            if (!run._held)
            {
                run.Check();
            }
        }

        run.Finish(steps.Length % 2 == 0);
        reached.Add(run._mirror);
        return run.MessagesSent;
    }

    public void Dispose()
    {
        // After a failure there is nothing to save; Finish has checked the good end.
        foreach (Origin? origin in _origins)
        {
            origin?.Peer.Dispose();
        }

        foreach (FuzzDevice device in _bridge.Devices.Where(static device => !device.IsReleased))
        {
            device.Device.Release();
        }
    }

    private void Do(Step step)
    {
        if (_held && step.Act is not (Act.Message or Act.Again))
        {
            Pump();
            Check();
        }

        Origin origin = _origins[step.Peer] ?? Connect(step);
        DeviceModel? device = origin.Model.Device;
        switch (step.Act)
        {
            case Act.Message:
                Send(origin, origin.Last = Messages.Plain(step), step.Flaw, step.At);
                break;
            case Act.Again:
                Send(origin, origin.Last ?? Messages.Junk(step), Flaw.None, 0);
                break;
            case Act.Start:
                foreach (Message message in Messages.Start(step))
                {
                    Send(origin, message, step.Flaw == Flaw.NeedReply ? step.Flaw : Flaw.None, 0);
                }

                break;
            case Act.Overlap when !origin.Model.IsInMessage:
                byte[] first = Messages.Plain(step with { Request = RequestCode.SetOwner }).Bytes;
                int cut = 1 + (step.At % (first.Length - 1));
                MessagesSent += 2;
                Put(origin, first.AsSpan(0, cut), [], hold: false);
                Advance(1 + step.At);
                Put(origin, [.. first[cut..], .. first[..cut]], [], hold: false);
                Advance(1 + step.At);
                Put(origin, first.AsSpan(cut), [], hold: false);
                break;
            case Act.Junk:
                Send(origin, Messages.Junk(step), Flaw.None, 0);
                break;
            case Act.Leave:
                Leave(step.Peer);
                break;
            case Act.Return:
                Leave(step.Peer);
                Check();
                Origin returned = Connect(step with { At = 1 });
                foreach (Message message in Messages.Start(step with { Index = step.Index % 2, Value = step.At % 2 == 0 ? 0U : 24 }))
                {
                    Send(returned, message, Flaw.None, 0);
                }

                break;
            case Act.StopReading:
                origin.Reads = false;
                break;
            case Act.BridgeFails or Act.BridgeWorks:
                _bridge.Fails = _mirror.BridgeFails = step.Act == Act.BridgeFails;
                break;
            case Act.Time:
                Advance(1 + (step.At * 2));
                break;
            case Act.Report:
                using (JsonDocument report = JsonDocument.Parse(_library.ReportJson(Rig.Runtime)))
                {
                    ReportCheck.AssertSays(report, _mirror, [.. _connected.Select(static connected => connected.Model)]);
                }

                Assert.NotEmpty(_library.ReportText(Rig.Runtime, verbose: step.At % 2 == 0));
                break;
            case Act.UseRing:
                UseRing(step, _origins.FirstOrDefault(static other => other is { Model.RunsPacked: true }) ?? origin);
                break;
            case Act.Eject:
                int leaving = _mirror.Devices.FindIndex(static candidate => candidate is { IsLeaving: true });
                if (leaving >= 0)
                {
                    Remove(leaving);
                }

                break;
            case Act.Unplug when device is not null:
                origin.Model.Close(withDevice: true);
                Remove(_mirror.Devices.IndexOf(device));
                break;
            default:
                if (device is not null)
                {
                    GuestActs.Do(step, device, _bridge.Devices[_mirror.Devices.IndexOf(device)]);
                    // An origin is told of it, or turned away for it.
                    _held = true;
                    Pump();
                }

                break;
        }
    }

    private void UseRing(Step step, Origin origin)
    {
        int memory = Array.IndexOf(_origins, origin);
        uint ring = origin.Model.UseRing(step);
        _ports.Write(memory, _memory[memory]);
        if (step.At % 4 != 0)
        {
            Send(origin, Messages.Plain(step with { Request = RequestCode.GetVringBase, Index = ring }), Flaw.None, 0);
        }
    }

    private Origin Connect(Step step)
    {
        IPeer peer = _ports.Connect(step.Peer);
        var origin = new Origin(peer, new OriginModel(_mirror, _memory[step.Peer], peer.Room));
        _origins[step.Peer] = origin;
        _connected.Add(origin);
        _held = true;
        Pump();
        if (step.At % 8 != 0)
        {
            // What most begin with, and much of the rest needs.
            Send(origin, Messages.Plain(step with { Request = RequestCode.SetProtocolFeatures, Value = 0 }), Flaw.None, 0);
        }

        return origin;
    }

    private void Leave(int number)
    {
        Origin origin = _origins[number]!;
        origin.Peer.Dispose();
        _origins[number] = null;
        _connected.Remove(origin);
        origin.Model.Close();
        _held = true;
        Pump();
    }

    private void Send(Origin origin, Message message, Flaw flaw, int at)
    {
        MessagesSent++;
        message = Messages.Spoil(message, flaw, at);
        int first = flaw is Flaw.Split or Flaw.LateFiles ? Math.Min(1 + (at % message.Bytes.Length), message.Bytes.Length - 1) : message.Bytes.Length;
        // A device for one and not for another depends on who is heard first, so those messages do not wait, nor does what came before them: a
        // refusal leaves a device, or its place, to the next.
        bool needsNoDevice = !origin.Model.IsInMessage && message.Bytes.Length >= sizeof(uint)
            && BitConverter.ToUInt32(message.Bytes) is < (uint)RequestCode.AddMemoryRegion and not (uint)RequestCode.SetMemoryTable;
        bool hold = flaw == Flaw.Hold && needsNoDevice && (origin.Model.Device is not null || message.Files.Length == 0)
            && _mirror.Setup is { UnplugDelay: 0, Statics: 0 };
        if (!needsNoDevice)
        {
            Pump();
        }

        Put(origin, message.Bytes.AsSpan(0, first), flaw == Flaw.LateFiles ? [] : message.Files, hold);
        Put(origin, message.Bytes.AsSpan(first), flaw == Flaw.LateFiles ? message.Files : [], hold);
    }

    private void Put(Origin origin, ReadOnlySpan<byte> bytes, FileKind[] files, bool hold)
    {
        origin.Peer.Send(bytes, files);
        origin.Model.Take(bytes, files);
        _held = true;
        if (!hold)
        {
            Pump();
        }
    }

    /// <summary>Lets the server hear what was held back.</summary>
    private void Pump()
    {
        if (!_held)
        {
            return;
        }

        _held = false;
        _host.Pump(4);
        foreach (Origin origin in _connected)
        {
            if (origin.AwaitedPart != (origin.Model.Messages, origin.Model.IsInMessage))
            {
                // The time is each message's own.
                origin.AwaitedPart = (origin.Model.Messages, origin.Model.IsInMessage);
                origin.Silence = 0;
            }

            if (origin.Reads)
            {
                Read(origin);
            }
        }
    }

    private static void Read(Origin origin)
    {
        var replies = new List<byte>();
        bool isOpen = origin.Peer.Receive(replies);
        Assert.Equal(Convert.ToHexString(origin.Model.Replies.ToArray()), Convert.ToHexString(replies.ToArray()));
        origin.Model.Replies.Clear();
        Assert.Equal(!origin.Model.IsClosed, isOpen);
    }

    private void Advance(long milliseconds)
    {
        long before = _host.Time.Milliseconds;
        _host.Advance(milliseconds);
        long passed = _host.Time.Milliseconds - before;
        long end = _mirror.Now + passed;
        Origin[] waited = [.. _connected.Where(static origin => origin.Model.IsInMessage || origin.Model.Messages == 0)];
        // In their order: what one leaves behind has its own time from there on.
        foreach ((Origin origin, long left) in waited.Select(static origin => (origin, (origin.Model.IsInMessage ? 5000 : 30_000) - origin.Silence))
            .Where(pair => pair.Item2 <= passed).OrderBy(static pair => pair.Item2))
        {
            _mirror.Pass(end - passed + left - _mirror.Now);
            origin.Model.Close();
        }

        _mirror.Pass(end - _mirror.Now);
        foreach (Origin origin in waited)
        {
            origin.Silence += passed;
        }

        _held = true;
        Pump();
    }

    /// <summary>The device goes, asked for or not; its slot is the next one's.</summary>
    private void Remove(int index)
    {
        _bridge.Devices[index].Remove();
        _mirror.Devices[index] = null;
        Retry();
        _held = true;
        Pump();
    }

    private void Retry()
    {
        foreach (Origin origin in _connected.ToArray())
        {
            origin.Model.RetryPlug();
        }
    }

    private void Check()
    {
        foreach (Origin origin in _connected.Where(static origin => origin.Model.IsClosed).ToArray())
        {
            // The server has let it go; what it still sent has been compared.
            _mirror.Refusals++;
            origin.Peer.Dispose();
            _connected.Remove(origin);
            _origins[Array.IndexOf(_origins, origin)] = null;
        }

        Assert.Equal(_connected.Count, _server.ConnectionCount);
        Assert.Equal(_mirror.Devices.Count, _bridge.Devices.Count);
        int there = 0;
        for (int i = 0; i < _mirror.Devices.Count; i++)
        {
            if (_mirror.Devices[i] is { } model)
            {
                there++;
                model.AssertShownBy(_bridge.Devices[i], _ports);
            }
        }

        for (int i = 0; i < _memory.Length; i++)
        {
            _ports.AssertHolds(i, _memory[i]);
        }

        Assert.Equal(there, _server.DeviceCount);

        // A device has two timers, which the host knows once they have been armed.
        Assert.InRange(_host.Reactors, 1 + _connected.Count + there, 1 + _connected.Count + (3 * there));
        Assert.Equal(1 + _connected.Count, _host.Watches);
        if (_ports.HeldByServer >= 0)
        {
            Assert.Equal(_connected.Sum(static origin => origin.Model.Held), _ports.HeldByServer);
        }
    }

    private void Finish(bool politely)
    {
        Pump();
        for (int i = 0; politely && i < _origins.Length; i++)
        {
            if (_origins[i] is not null)
            {
                Leave(i);
            }
        }

        if (politely)
        {
            Check();
        }

        _library.Destroy(_server);
        foreach (Origin? origin in _origins)
        {
            origin?.Peer.Dispose();
        }

        Array.Clear(_origins);
        foreach (FuzzDevice device in _bridge.Devices.Where(static device => !device.IsReleased))
        {
            device.Remove();
        }

        Assert.Equal(0, _host.Reactors);
        Assert.Equal(0, _host.Watches);
        Assert.Equal(0, _host.Timers);
        _mirror.Dumped += _dump?.AssertWhole() ?? 0;
        _ports.AssertNothingLeft();
    }
}
