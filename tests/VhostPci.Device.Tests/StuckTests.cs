// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net;
using System.Net.Sockets;
using VhostPci.Device.Clients;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Files;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;
using VhostPci.Testing;

namespace VhostPci.Device.Tests;

/// <summary>Nothing waits for a peer: not to close what it has sent, not for its answers, and not to write about it.</summary>
public sealed class StuckTests : IDisposable
{
    private readonly List<Socket> _far = [];
    private readonly ThreadCloser _closer = new();

    public void Dispose()
    {
        Release();
        SpinWait.SpinUntil(() => _closer.Closing == 0, TimeSpan.FromSeconds(60));
    }

    [Theory]
    [InlineData(RequestCode.SetVringKick)]
    [InlineData(RequestCode.SetVringCall)]
    [InlineData(RequestCode.SetVringError)]
    [InlineData(RequestCode.SetMemoryTable)]
    [InlineData(RequestCode.GetFeatures)]
    public void A_lingering_socket_as_a_descriptor_holds_up_nobody(RequestCode request)
    {
        using var rig = new Rig();
        using FrontEnd neighbour = rig.Connect();
        neighbour.Start();
        rig.Listener.Closer = _closer;
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        origin.Send(RequestCode.SetFeatures, FrontEnd.Features);
        int socket = NewLingering();
        byte[] payload = new byte[request == RequestCode.SetMemoryTable ? MemoryPayload.TableSize(1) : request == RequestCode.GetFeatures ? 0 : VringFile.Size];
        if (request == RequestCode.SetMemoryTable)
        {
            MemoryPayload.WriteTable(payload, [FrontEnd.Region]);
        }

        // The server has the last descriptor: ours is closed before its turn comes.
        origin.SendQuietly(request, payload, socket);
        ThreadCloser.CloseNow(socket);
        origin.Pump();

        // The turn is over, and it still hangs: on another thread.
        Assert.True(origin.IsClosed);
        Assert.Equal(1, _closer.Closing);
        Assert.Single(_closer.Lanes.Distinct());
        Assert.NotEqual(0UL, neighbour.Ask(RequestCode.GetFeatures));
        Release();
        Assert.True(SpinWait.SpinUntil(() => _closer.Closing == 0, TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public void What_nobody_has_received_goes_with_the_socket_and_not_before()
    {
        using var rig = new Rig();
        rig.Listener.Closer = _closer;
        using FrontEnd origin = rig.Connect();
        rig.Host.Pump();
        int socket = NewLingering();
        (Channel left, Channel right) = SocketPair.Create(_closer);
        Assert.True(left.TrySend([1], [socket], 0));
        ThreadCloser.CloseNow(socket);
        right.Dispose();

        // The peer sees the end although the socket is not closed.
        Assert.Equal(ReceiveStatus.Closed, left.Receive(new byte[1], new List<IPeerFile>(), out _));
        Assert.Equal(1, _closer.Closing);
        left.Dispose();
    }

    [Fact]
    public void Who_sends_faster_than_it_can_be_closed_is_not_read_meanwhile()
    {
        using var rig = new Rig();
        using FrontEnd neighbour = rig.Connect();
        var closer = new HeldCloser();
        rig.Listener.Closer = closer;
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        ulong before = rig.Server.Messages;
        SendErrors(origin, 100);
        origin.Pump();
        rig.Host.Advance(Budgets.UnclosedTimeout - 1);
        origin.Pump();
        Assert.InRange(closer.Most, 8, (int)Budgets.UnclosedDescriptors);
        Assert.InRange(rig.Server.Messages - before, 4UL, 16UL);
        Assert.Equal(2, rig.Server.Connections.Count);
        Assert.NotEqual(0UL, neighbour.Ask(RequestCode.GetFeatures));

        // A bit at a time, and nothing is lost.
        for (int i = 0; i < 30; i++)
        {
            closer.Release();
            rig.Host.Advance(Budgets.UnclosedPause);
            origin.Pump();
        }

        Assert.InRange(closer.Most, 8, (int)Budgets.UnclosedDescriptors);
        Assert.Equal(before + 101, rig.Server.Messages);
        Assert.NotEqual(0UL, origin.Ask(RequestCode.GetFeatures));
        Assert.Empty(rig.Log.Warnings);
        rig.Host.Advance(Budgets.UnclosedTimeout);
        Assert.Equal(2, rig.Server.Connections.Count);
        closer.Release();
    }

    [Fact]
    public void Whose_descriptors_do_not_close_at_all_has_to_go()
    {
        using var rig = new Rig();
        var closer = new HeldCloser();
        rig.Listener.Closer = closer;
        using FrontEnd origin = rig.Connect();
        origin.Negotiate();
        SendErrors(origin, 20);
        origin.Pump();
        rig.Host.Advance(Budgets.UnclosedTimeout - 1);
        Assert.Single(rig.Server.Connections);
        rig.Host.Advance(1);
        Assert.Empty(rig.Server.Connections);
        Assert.Contains("descriptors that it has sent do not close, for 30 s", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Host.Advance(Budgets.UnclosedTimeout);
        closer.Release();
        origin.Dispose();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void Nobody_new_is_accepted_while_too_much_hangs()
    {
        using var rig = new Rig();
        var closer = new HeldCloser();
        rig.Listener.Closer = closer;
        for (int i = 0; i < Budgets.ClosingPeers; i++)
        {
            ComeAndGo(rig);
        }

        using FrontEnd origin = rig.Connect();
        rig.Host.Pump();
        Assert.Empty(rig.Server.Connections);
        rig.Host.Advance(Budgets.UnclosedPause);
        rig.Host.Pump();
        Assert.Empty(rig.Server.Connections);
        Assert.Contains("accepts nobody for now", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);

        closer.Release();
        rig.Host.Advance(Budgets.AcceptPause);
        rig.Host.Pump();
        Assert.Single(rig.Server.Connections);
    }

    [Fact]
    public void What_is_closed_in_a_moment_is_not_worth_a_word()
    {
        using var rig = new Rig(change: static config => config with { AllowUid = "0" });
        var closer = new HeldCloser();
        rig.Listener.Closer = closer;
        var refused = new List<FrontEnd>();
        for (int i = 0; i < Budgets.ClosingPeers; i++)
        {
            refused.Add(rig.Connect(uid: 1));
        }

        rig.Host.Pump();
        Assert.Equal(Budgets.ClosingPeers, closer.Held);
        int warnings = rig.Log.Warnings.Length;
        rig.Listener.Closer = null;
        using FrontEnd origin = rig.Connect(uid: 0);
        rig.Host.Pump();
        Assert.Empty(rig.Server.Connections);
        closer.Release();
        rig.Host.Advance(Budgets.UnclosedPause);
        rig.Host.Pump();
        Assert.Single(rig.Server.Connections);
        Assert.Equal(warnings, rig.Log.Warnings.Length);
        refused.ForEach(static one => one.Dispose());
    }

    [Fact]
    public void What_connections_have_left_counts_as_open()
    {
        using var rig = new Rig(connections: 2);
        rig.Library.Descriptors.Limit = Budgets.CountDescriptors(2, 1) + (2 * Budgets.PairDescriptors);
        var closer = new HeldCloser();
        rig.Listener.Closer = closer;
        FrontEnd first = rig.Connect();
        first.Start(name: "first", pairs: 3);
        first.Dispose();
        rig.Host.Pump();
        Assert.Empty(rig.Server.Connections);

        // Its socket, a file of memory and four descriptors for each pair: more than the two pairs beyond the first that it has given back.
        Assert.InRange(closer.Held, 3 * (int)Budgets.PairDescriptors, (int)Budgets.ConnectionDescriptors);
        rig.Listener.Closer = null;
        using FrontEnd second = rig.Connect();
        second.Negotiate();
        second.SendInfo(pairs: 3);
        Assert.True(second.IsClosed);
        Assert.Contains("3 queue pairs would take 8 more file descriptors", rig.Server.Desk.LastRefusal, StringComparison.Ordinal);

        // One place of two is free, and what was left fits into the other's.
        rig.Host.Advance(Budgets.UnclosedPause);
        using FrontEnd third = rig.Connect();
        third.Start(name: "third", lastOfMac: 3);
        Assert.True(rig.Bridge.Last.Link);
        using FrontEnd fourth = rig.Connect();
        rig.Host.Pump();
        Assert.Single(rig.Server.Connections);
        closer.Release();
        rig.Host.Advance(Budgets.AcceptPause);
        fourth.Start(name: "fourth", lastOfMac: 4, pairs: 3);
        Assert.Equal(2, rig.Server.Connections.Count);
        Assert.Equal(1UL, rig.Server.Refused);
    }

    [Fact]
    public void Who_closes_what_it_is_sent_at_once_is_never_counted()
    {
        using var rig = new Rig();
        rig.Library.Descriptors.Limit = Budgets.CountDescriptors(4, 1);
        rig.Listener.Closer = new PromptCloser();
        for (int i = 0; i < 3 * Budgets.ClosingPeers; i++)
        {
            ComeAndGo(rig);
        }

        Assert.Equal(3UL * Budgets.ClosingPeers, rig.Server.Accepted);
        Assert.Equal(0, rig.Host.Timers);
    }

    [Fact]
    public void Origins_that_leave_much_do_not_keep_a_client_from_its_server_and_the_other_way_round()
    {
        using var rig = new Rig();
        var closer = new HeldCloser();
        VhostPciClient client = rig.Library.CreateClient(new FakeNic(), Config(1));
        LeaveMuch(client, closer);
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(right);
        Assert.Equal(ReceiveStatus.WouldBlock, left.Receive(new byte[1], new List<IPeerFile>(), out _));
        Assert.Contains("still being closed", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        using FrontEnd origin = rig.Connect();
        Assert.NotEqual(0UL, origin.Ask(RequestCode.GetFeatures));

        rig.Listener.Closer = new HeldCloser();
        for (int i = 0; i < Budgets.ClosingPeers; i++)
        {
            ComeAndGo(rig);
        }

        closer.Release();
        rig.Host.Advance(Budgets.AcceptPause);
        Assert.Equal(ReceiveStatus.Data, left.Receive(new byte[MessageHeader.Size], new List<IPeerFile>(), out _));
        rig.Library.Destroy(client);
        left.Dispose();
    }

    [Fact]
    public void A_client_does_not_speak_to_a_server_while_too_much_hangs()
    {
        using var rig = new Rig();
        var closer = new HeldCloser();
        VhostPciClient client = rig.Library.CreateClient(new FakeNic(), Config(1));
        LeaveMuch(client, closer);
        (Channel left, Channel right) = SocketPair.Create();
        client.Connected(left);
        rig.Host.Advance(10 * Budgets.AcceptPause);
        Assert.Equal(ReceiveStatus.WouldBlock, right.Receive(new byte[1], new List<IPeerFile>(), out _));
        Assert.Single(rig.Log.Warnings);
        client.Disconnected();
        rig.Host.Advance(1);
        Assert.Equal(ReceiveStatus.Closed, right.Receive(new byte[1], new List<IPeerFile>(), out _));
        rig.Library.Destroy(client);
        right.Dispose();
        closer.Release();
        rig.AssertNothingLeft();
    }

    [Fact]
    public void The_clients_descriptor_of_the_connection_outlives_the_chardevs()
    {
        using var rig = new Rig();
        (VhostPciClient client, _, Channel server) = ClientTests.Handshake(rig);
        int before = Descriptors.Count();
        server.TrySend(new byte[12], [], 0);
        rig.Host.Pump(1);

        // Lost, and seen by the server; but the chardev has yet to close its own.
        Assert.Equal(ReceiveStatus.Closed, DrainStatus(server));
        Assert.Equal(before, Descriptors.Count());
        client.Disconnected();
        Assert.Equal(before, Descriptors.Count());
        rig.Host.Advance(1);
        Assert.Equal(before - 1, Descriptors.Count());
        rig.Library.Destroy(client);
        server.Dispose();
        rig.AssertNothingLeft();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    public void A_stop_of_all_rings_takes_two_seconds_however_slow_the_answers_are(ushort pairs)
    {
        using var rig = new Rig();
        var nic = new FakeNic();
        VhostPciClient client = rig.Library.CreateClient(nic, Config(pairs));
        var server = new SlowServer(rig.Host.Time, delay: 1900);
        client.Connected(server);
        rig.Host.Pump(10);
        Assert.True(nic.Link);
        long start = rig.Host.Time.Milliseconds;
        for (uint ring = 0; ring < 2 * pairs; ring++)
        {
            // Where it stands comes from the ring itself.
            Assert.Equal(77U, client.GetVringBase(ring, [], [0, 0, 77, 0]));
        }

        Assert.InRange(rig.Host.Time.Milliseconds - start, 1900, Budgets.ServerWait);
        Assert.Equal(1, nic.Disconnects);
        Assert.Contains("did not stop ring 1 in time", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Library.Destroy(client);
    }

    [Fact]
    public void Time_without_waiting_gives_a_twentieth_of_it_back_to_wait()
    {
        using var rig = new Rig();
        VhostPciClient client = rig.Library.CreateClient(new FakeNic(), Config(1));
        var server = new SlowServer(rig.Host.Time, delay: 1500);
        client.Connected(server);
        rig.Host.Pump(10);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(0, client.Stop(0));
            rig.Host.Advance(20 * 1500);
        }

        // Not at once: a server that answers late all the time has a twentieth of its client's.
        Assert.Equal(0, client.Stop(0));
        rig.Host.Advance(19 * 1000);
        Assert.Equal(-110, client.Stop(0));
        rig.Library.Destroy(client);
    }

    [Fact]
    public void A_server_that_floods_its_client_gets_a_bounded_turn_and_few_lines()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = ClientTests.Handshake(rig);
        nic.DriverFeatures = VirtioFeatures.Version1 | VirtioNetFeatures.HostTso4;
        int turns = 0;
        for (int i = 0; i < 200; i++)
        {
            // Too little and all again, so that each is news; and up and down.
            while (Tell(server, BackEndRequest.AcceptFeatures, turns % 2 == 0 ? VirtioFeatures.Version1 : ulong.MaxValue)
                && Tell(server, BackEndRequest.SetLink, (ulong)(turns % 2)))
            {
                // As much as fits.
            }

            int events = nic.Events.Count;
            rig.Host.Pump(1);
            turns++;
            Assert.InRange(nic.Events.Count - events, 0, 2);
        }

        Assert.InRange(nic.Events.Count, 10, 1 + (2 * Budgets.ServerRequests));
        Assert.InRange(rig.Log.Warnings.Length, 1, Budgets.LogLines);

        // What it wanted last is what counts.
        rig.Host.Pump(2000);
        Assert.True(Tell(server, BackEndRequest.AcceptFeatures, ulong.MaxValue));
        Assert.True(Tell(server, BackEndRequest.SetLink, 1));
        rig.Host.Pump(1);
        rig.Host.Advance((long)Budgets.RequestPeriod.TotalMilliseconds);
        Assert.True(nic.Link);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void A_turn_of_a_client_ends_although_the_server_goes_on()
    {
        using var rig = new Rig();
        (VhostPciClient client, FakeNic nic, Channel server) = ClientTests.Handshake(rig);
        for (int i = 0; i < 100; i++)
        {
            Assert.True(Tell(server, BackEndRequest.SetLink, i < 99 ? 1UL : 0));
        }

        // 32 a turn: the last of them is in the fourth.
        rig.Host.Pump(3);
        Assert.True(nic.Link);
        rig.Host.Pump(1);
        Assert.False(nic.Link);
        rig.Library.Destroy(client);
        server.Dispose();
    }

    [Fact]
    public void Servers_that_come_and_go_cause_few_lines()
    {
        using var rig = new Rig();
        var nic = new FakeNic();
        VhostPciClient client = rig.Library.CreateClient(nic, Config(1));
        for (int i = 0; i < 100; i++)
        {
            (Channel left, Channel right) = SocketPair.Create();
            client.Connected(left);
            right.Dispose();
            rig.Host.Pump(1);
            client.Disconnected();
        }

        Assert.Equal(100, nic.Disconnects);
        Assert.Equal(Budgets.LogLines, rig.Log.Warnings.Length);
        rig.Host.Advance((long)Budgets.LogPeriod.TotalMilliseconds);
        (Channel last, Channel peer) = SocketPair.Create();
        client.Connected(last);
        peer.Dispose();
        rig.Host.Pump(1);
        Assert.EndsWith("(90 messages before were not shown)", rig.Log.Warnings[^1], StringComparison.Ordinal);
        rig.Library.Destroy(client);
    }

    private static void SendErrors(FrontEnd origin, int count)
    {
        byte[] payload = new byte[VringFile.Size];
        for (int i = 0; i < count; i++)
        {
            using Descriptor descriptor = EventDescriptor.Create();
            origin.SendQuietly(RequestCode.SetVringError, payload, descriptor.Number);
        }
    }

    /// <summary>A connection of which only what the closer holds stays.</summary>
    private static void ComeAndGo(Rig rig)
    {
        using (rig.Connect())
        {
            rig.Host.Pump();
        }

        rig.Host.Pump();
    }

    /// <summary>Servers that come and go, as many as a client speaks to.</summary>
    private static void LeaveMuch(VhostPciClient client, HeldCloser closer)
    {
        for (int i = 0; i <= Budgets.ClosingPeers; i++)
        {
            (Channel left, Channel right) = SocketPair.Create(closer);
            client.Connected(right);
            left.Dispose();
        }
    }

    private static ClientConfig Config(ushort pairs) => new("nic", new DeviceInfo(VirtioDeviceId.Net, pairs, Guid.Empty, default, 0, FrontEnd.MemorySize, "nic"));

    private static bool Tell(Channel server, BackEndRequest request, ulong value)
    {
        byte[] message = new byte[MessageHeader.Size + U64Payload.Size];
        return server.TrySend(MessageWriter.Write(message, (RequestCode)request, MessageFlags.None, value), [], 0);
    }

    private static ReceiveStatus DrainStatus(Channel channel)
    {
        ReceiveStatus status;
        do
        {
            status = channel.Receive(new byte[4096], new List<IPeerFile>(), out _);
        }
        while (status == ReceiveStatus.Data);

        return status;
    }

    /// <summary>Its last close waits for an hour, or until <see cref="Release"/>: the other end does not take what was sent.</summary>
    private int NewLingering()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        near.Connect(listener.LocalEndPoint!);
        _far.Add(listener.Accept());
        near.Blocking = false;
        byte[] data = new byte[1 << 16];
        while (near.Send(data, 0, data.Length, SocketFlags.None, out _) > 0)
        {
            // Until nothing fits any more.
        }

        near.LingerState = new LingerOption(true, 3600);

        // Not by its Dispose, which ends the connection.
        int descriptor = (int)near.Handle;
        near.SafeHandle.SetHandleAsInvalid();
        return descriptor;
    }

    private void Release()
    {
        foreach (Socket far in _far)
        {
            far.LingerState = new LingerOption(true, 0);
            far.Dispose();
        }

        _far.Clear();
    }

    /// <summary>Answers the handshake at once, and everything after it when the time has passed.</summary>
    private sealed class SlowServer(FakeTime time, int delay) : IChannel
    {
        private readonly Queue<byte> _answer = new();
        private readonly Queue<byte> _later = new();

        public int Descriptor => 1_000_001;

        public PeerCredentials Peer => default;

        public int Unclosed => 0;

        public ReceiveStatus Receive(Span<byte> buffer, ICollection<IPeerFile> files, out int count)
        {
            count = 0;
            while (count < buffer.Length && _answer.TryDequeue(out byte next))
            {
                buffer[count++] = next;
            }

            return count == 0 ? ReceiveStatus.WouldBlock : ReceiveStatus.Data;
        }

        public bool TrySend(ReadOnlySpan<byte> data, ReadOnlySpan<int> descriptors, int timeoutMilliseconds)
        {
            MessageHeader header = MessageHeader.Read(data);
            ulong? value = header.Request switch
            {
                RequestCode.GetFeatures => VirtioNetFeatures.Offered,
                RequestCode.GetProtocolFeatures => ProtocolFeatures.Offered,
                RequestCode.GetQueueNum => GuestAbi.MaxQueuePairs,
                RequestCode.GetVringBase => BitConverter.ToUInt32(data[MessageHeader.Size..]),
                _ => null,
            };
            if (value is { } answer)
            {
                byte[] reply = new byte[MessageHeader.Size + U64Payload.Size];
                foreach (byte part in MessageWriter.Write(reply, header.Request, MessageFlags.Reply, answer))
                {
                    (header.Request == RequestCode.GetVringBase ? _later : _answer).Enqueue(part);
                }
            }

            return true;
        }

        public bool WaitReadable(int timeoutMilliseconds)
        {
            int waited = Math.Min(timeoutMilliseconds, delay);
            time.Milliseconds += waited;
            while (waited == delay && _later.TryDequeue(out byte part))
            {
                _answer.Enqueue(part);
            }

            return waited == delay;
        }

        public void ShutDown()
        {
            // Nobody looks.
        }

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
