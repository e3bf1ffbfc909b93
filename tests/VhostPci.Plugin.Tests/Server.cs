// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Qemu.Host.Generated;
using VhostPci.Plugin.Generated;

namespace VhostPci.Plugin.Tests;

/// <summary>A server of the library's with a neighbour that must not notice anything.</summary>
internal sealed unsafe class Server : IDisposable
{
    private readonly vhost_pci_api* _api;
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"vhost-pci-{Guid.NewGuid():N}");
    private readonly Socket _listener = NewSocket();
    private readonly Socket _neighbour;
    private readonly sbyte* _id = (sbyte*)Marshal.StringToCoTaskMemUTF8("srv");

    internal Server(vhost_pci_api* api)
    {
        Host.Forget();
        Host.Lines.Clear();
        Host.Failing = null;
        _api = api;
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen();
        vhost_pci_server_config config = Config();
        ulong number;
        dotnet_error error;
        Assert.Equal(0, api->server_create((void*)1, &config, &number, &error));
        Number = number;
        _neighbour = Connect();
        Assert.True(IsServed(_neighbour));
    }

    internal ulong Number { get; }

    internal vhost_pci_server_config Config() => new()
    {
        id = _id,
        listen_fd = (int)_listener.Handle,
        connections = 4,
        slot_size = 4UL << 30,
        max_memory = 1UL << 30,
        phys_bits = 40,
        slots = 8,
        queues_max = 32,
        plug_rate = 60,
        log_level = 1,
    };

    internal Socket Connect()
    {
        Socket socket = NewSocket();
        socket.Connect(new UnixDomainSocketEndPoint(_path));
        return socket;
    }

    internal static void Send(Socket socket, uint request, params ReadOnlySpan<byte> payload)
        => socket.Send([.. BitConverter.GetBytes(request), .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(payload.Length), .. payload]);

    /// <summary>Asks for the features.</summary>
    internal static bool IsServed(Socket socket)
    {
        Send(socket, 1);
        Host.Pump();
        byte[] reply = new byte[64];
        return socket.Poll(0, SelectMode.SelectRead) && socket.Receive(reply) == 20 && reply[0] == 1 && reply[4] == 5;
    }

    /// <summary>The neighbour is served as before, the server takes another, and says so.</summary>
    internal void AssertUnharmed(string after)
    {
        Assert.True(Host.IsWatched(Number), $"the server is deaf after {after}");
        Assert.True(IsServed(_neighbour), $"the neighbour is not served after {after}");
        using (Socket another = Connect())
        {
            Host.Pump();
            Assert.True(IsServed(another), $"nobody is served any more after {after}");
        }

        Host.Pump();
        vhost_pci_server_counters counters;
        _api->server_counters(Number, &counters);
        Assert.Equal(1UL, counters.connections);
    }

    public void Dispose()
    {
        _api->server_destroy(Number);
        Assert.False(Host.IsWatched(Number));
        Assert.Equal(0, Host.Strangers);
        _neighbour.Dispose();
        _listener.Dispose();
        File.Delete(_path);
        Marshal.FreeCoTaskMem((nint)_id);
    }

    private static Socket NewSocket() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
}
