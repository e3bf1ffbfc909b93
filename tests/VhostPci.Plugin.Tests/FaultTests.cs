// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Qemu.Host.Generated;
using VhostPci.Plugin.Generated;

namespace VhostPci.Plugin.Tests;

/// <summary>Every entry of the ABI with something wrong: no exception gets out, the result says so, and everybody else is served as before.</summary>
public sealed unsafe class FaultTests
{
    private const int NoEntry = -2;
    private const int IO = -5;
    private const int NotConnected = -107;
    private static readonly ulong[] MadeUp = [0, 1UL << 40, ulong.MaxValue];

    [Theory]
    [MemberData(nameof(Library.Builds), MemberType = typeof(Library))]
    public void Numbers_that_name_nothing_are_refused(string build)
    {
        vhost_pci_api* api = Library.Get(build);
        using var server = new Server(api);
        foreach (ulong number in MadeUp)
        {
            CallWith(api, number);
        }

        server.AssertUnharmed("made-up numbers");
    }

    [Theory]
    [MemberData(nameof(Library.Builds), MemberType = typeof(Library))]
    public void The_number_of_another_kind_is_refused_too(string build)
    {
        vhost_pci_api* api = Library.Get(build);
        using var server = new Server(api);
        CallWith(api, server.Number, isServer: true);
        server.AssertUnharmed("a server's number for a device and a client");
    }

    [Theory]
    [MemberData(nameof(Library.Builds), MemberType = typeof(Library))]
    public void Null_where_something_belongs_is_a_failed_call(string build)
    {
        vhost_pci_api* api = Library.Get(build);
        using var server = new Server(api);
        ulong device = NewDevice(api, server);
        ulong client = NewClient(api);
        vhost_pci_server_config config = server.Config();
        dotnet_error error;
        ulong made;
        ulong* number = &made;

        Fails(server, "server_plan", error => api->server_plan(null, null, (dotnet_error*)error));
        Fails(server, "server_create without configuration", error => api->server_create((void*)2, null, number, (dotnet_error*)error));
        Fails(server, "device_create", error => api->device_create(server.Number, null, number, (dotnet_error*)error));
        Fails(server, "client_create", error => api->client_create((void*)3, null, number, (dotnet_error*)error));
        Assert.Equal(IO, api->server_plan(&config, null, &error));
        // Nobody wants to know why.
        Assert.Equal(IO, api->server_plan(null, null, null));
        Assert.Equal(IO, api->client_set_memory(client, null, 3));
        Assert.Equal(IO, api->client_set_vring_addr(client, null));
        api->server_counters(server.Number, null);
        api->device_read_config(device, null, 80);
        api->device_write_config(device, null, 80);
        api->client_frame(client, null, 60);
        api->client_frame(client, null, uint.MaxValue);
        Assert.True(api->report(0, null, 0) > 0);
        Assert.Equal(0, api->report(77, null, 0));
        server.AssertUnharmed("null pointers");
        Assert.Contains(Host.Lines, static line => line.Contains("NullReference", StringComparison.Ordinal));

        api->client_destroy(client);
        Remove(api, device);
    }

    [Theory]
    [MemberData(nameof(Library.Builds), MemberType = typeof(Library))]
    public void Numbers_out_of_all_bounds_are_a_failed_call(string build)
    {
        vhost_pci_api* api = Library.Get(build);
        using var server = new Server(api);
        ulong client = NewClient(api);
        byte b = 0;
        Assert.True(api->client_get_vring_base(client, uint.MaxValue, uint.MaxValue, &b, &b) < 0);
        Assert.True(api->client_get_vring_base(client, 0, 0x4000_0000, &b, &b) < 0);
        Assert.True(api->client_set_vring_fd(client, 7777, 99, -1) < 0);
        Assert.True(api->client_set_vring_num(client, uint.MaxValue, uint.MaxValue) < 0);
        Assert.True(api->client_set_vring_base(client, uint.MaxValue, uint.MaxValue) < 0);
        Assert.True(api->client_enable(client, uint.MaxValue, 2) < 0);
        Assert.True(api->client_set_features(client, ulong.MaxValue) < 0);
        foreach (int descriptor in (int[])[-1, int.MaxValue, 0x7ffffff])
        {
            api->client_connected(client, descriptor);
            api->client_disconnected(client);
        }

        Host.Lower->fd_ready(server.Number, -1, uint.MaxValue);
        Host.Lower->fd_ready(client, 12345, 3);
        Host.Lower->timer_fired(server.Number);
        Host.Lower->timer_fired(client);
        api->client_negotiated(client);
        api->server_set_log_level(server.Number, uint.MaxValue);
        server.AssertUnharmed("numbers out of bounds");
        api->client_destroy(client);
    }

    [Theory]
    [MemberData(nameof(Library.Builds), MemberType = typeof(Library))]
    public void A_device_at_any_stage_takes_any_call(string build)
    {
        vhost_pci_api* api = Library.Get(build);
        using var server = new Server(api);
        ulong device = NewDevice(api, server);
        byte* config = stackalloc byte[4096];
        vhost_pci_device_plan plan;
        dotnet_error error;
        for (int stage = 0; stage < 4; stage++)
        {
            // Twice what comes once, and too late what comes early.
            if (stage > 0)
            {
                Assert.True(api->device_attach(device, (void*)9, &plan, &error) < 0);
                Assert.NotEmpty(Library.Text(&error));
            }

            api->device_ready(device);
            api->device_read_config(device, config, 4096);
            api->device_read_config(device, config, 0);
            api->device_write_config(device, config, 4096);
            api->device_write_config(device, config, 1);
            api->device_set_link(device, 0);
            api->device_set_link(device, 1);
            api->device_set_status(device, 0xff, ulong.MaxValue);
            api->device_set_status(device, 0, 0);
            api->device_window_fault(device);
            _ = api->check_windows();
            Host.Lower->timer_fired(device);
            Host.Lower->fd_ready(device, 3, 1);
            switch (stage)
            {
                case 0:
                    Assert.True(api->device_attach(device, (void*)9, &plan, &error) is 0 or < 0);
                    break;
                case 1:
                    api->device_detach(device);
                    break;
                case 2:
                    api->device_release(device);
                    break;
            }
        }

        server.AssertUnharmed("a device's life");
    }

    [Theory]
    [MemberData(nameof(Library.Builds), MemberType = typeof(Library))]
    public void A_host_that_fails_or_comes_back_in_harms_only_who_asked(string build)
    {
        vhost_pci_api* api = Library.Get(build);
        using var server = new Server(api);
        foreach (string function in (string[])["PlugDevice", "BridgeWindow", "UnplugDevice"])
        {
            Host.Failing = function;
            Host.Meanwhile = () =>
            {
                // A monitor command in the midst of it.
                _ = api->report(1, null, 0);
                Host.Lower->timer_fired(server.Number);
                Host.Pump();
            };
            using (Socket origin = server.Connect())
            {
                Host.Pump();
                // SET_PROTOCOL_FEATURES with VHOST_PCI, and what makes a device.
                Server.Send(origin, 16, BitConverter.GetBytes(1UL << 56));
                Server.Send(origin, 0x56500001, Info());
                Host.Pump();
            }

            Host.Pump();
            Host.Failing = null;
            Host.Meanwhile = null;
            server.AssertUnharmed($"a failed {function}");
        }
    }

    private static void Fails(Server server, string entry, Func<nint, int> call)
    {
        dotnet_error error;
        Assert.Equal(IO, call((nint)(&error)));
        Assert.NotEmpty(Library.Text(&error));
        server.AssertUnharmed(entry);
    }

    private static void CallWith(vhost_pci_api* api, ulong number, bool isServer = false)
    {
        byte* buffer = stackalloc byte[4096];
        dotnet_error error;
        ulong result;
        vhost_pci_static_config config = default;
        vhost_pci_device_plan plan;
        vhost_pci_vring ring = default;
        vhost_pci_memory_region region = default;
        if (!isServer)
        {
            vhost_pci_server_counters counters = new() { accepted = 77 };
            api->server_counters(number, &counters);
            Assert.Equal(77UL, counters.accepted);
            api->server_set_log_level(number, 0);
            api->server_destroy(number);
            Host.Lower->fd_ready(number, 0, 1);
            Host.Lower->timer_fired(number);
            Assert.Equal(NoEntry, api->device_create(number, &config, &result, &error));
            Assert.NotEmpty(Library.Text(&error));
        }

        Assert.Equal(NoEntry, api->device_attach(number, (void*)1, &plan, &error));
        Assert.NotEmpty(Library.Text(&error));
        api->device_ready(number);
        api->device_detach(number);
        api->device_release(number);
        api->device_read_config(number, buffer, 4096);
        api->device_write_config(number, buffer, 4096);
        api->device_set_link(number, 0);
        api->device_set_status(number, 0xf, 0);
        api->device_window_fault(number);
        api->client_destroy(number);
        api->client_connected(number, 0);
        api->client_disconnected(number);
        Assert.Equal(0UL, api->client_features(number));
        Assert.Equal(NotConnected, api->client_set_features(number, 1));
        api->client_negotiated(number);
        Assert.Equal(NotConnected, api->client_driver_state(number, 0, buffer));
        api->client_frame(number, buffer, 60);
        Assert.Equal(NotConnected, api->client_set_memory(number, &region, 1));
        Assert.Equal(NotConnected, api->client_set_vring_num(number, 0, 256));
        Assert.Equal(NotConnected, api->client_set_vring_base(number, 0, 0));
        Assert.Equal(NotConnected, api->client_set_vring_addr(number, &ring));
        Assert.Equal(NotConnected, api->client_set_vring_fd(number, 0, 0, -1));
        Assert.Equal(NotConnected, api->client_enable(number, 0, 1));
        Assert.Equal(NotConnected, api->client_get_vring_base(number, 0, 0, null, null));
    }

    private static ulong NewDevice(vhost_pci_api* api, Server server)
    {
        nint bus = Marshal.StringToCoTaskMemUTF8("pcie.0");
        var config = new vhost_pci_static_config { bus = (sbyte*)bus, queue_pairs = 1 };
        ulong number;
        dotnet_error error;
        Assert.Equal(0, api->device_create(server.Number, &config, &number, &error));
        Marshal.FreeCoTaskMem(bus);
        return number;
    }

    private static void Remove(vhost_pci_api* api, ulong device)
    {
        api->device_detach(device);
        api->device_release(device);
    }

    private static ulong NewClient(vhost_pci_api* api)
    {
        var config = new vhost_pci_client_config { queue_pairs = 1, memory_end = 1UL << 30 };
        ulong number;
        dotnet_error error;
        Assert.Equal(0, api->client_create((void*)4, &config, &number, &error));
        return number;
    }

    /// <summary>SET_DEVICE_INFO of docs/reference/protocol.md.</summary>
    private static byte[] Info()
    {
        byte[] info = new byte[104];
        info[0] = info[4] = info[6] = 1;
        info[24] = 0x52;
        BitConverter.TryWriteBytes(info.AsSpan(32), 1UL << 30);
        return info;
    }
}
