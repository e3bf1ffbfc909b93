// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host.Generated;

namespace Qemu.Host.Tests;

/// <summary>What a QEMU and a library that do not fit tell each other, and what they exchange when they do.</summary>
public sealed unsafe class HandshakeTests
{
    private const uint Version = DotnetHostAbi.DOTNET_HOST_ABI_VERSION;

    [Fact]
    public void A_table_that_does_not_fit_is_refused_with_what_to_install()
    {
        _ = FakeQemu.Api;
        dotnet_host right = FakeQemu.NewTable();
        dotnet_host older = right with { version = Version - 1 };
        dotnet_host longer = right with { size = right.size + 8 };
        dotnet_api* api = null;

        Refused("this QEMU needs 77: install the pair", 77, &right, &api);
        Refused("is not the one of host ABI version", Version, &older, &api);
        Refused("is not the one of host ABI version", Version, &longer, &api);
        Refused("is not the one of host ABI version", Version, null, &api);
        Refused("is not the one of host ABI version", Version, &right, null);
        Assert.True(api == null);

        // Nobody wants to know why.
        Assert.Equal(Errno.Protocol, QemuLibrary.Start("libtoy.so", 77, 0, 0, 0));
    }

    [Fact]
    public void The_first_call_may_come_twice()
    {
        dotnet_api* first = FakeQemu.Api;
        QemuHost host = QemuHost.Current;
        dotnet_host table = FakeQemu.NewTable();
        dotnet_api* api = null;
        Assert.Equal(0, QemuLibrary.Start("libtoy.so", Version, (nint)(&table), (nint)(&api), 0));
        Assert.True(api == first);
        Assert.Same(host, QemuHost.Current);
        Assert.Equal((Version, (uint)sizeof(dotnet_api)), (api->version, api->size));
    }

    [Fact]
    public void An_interface_is_found_by_name_and_started_once()
    {
        int before = FakeQemu.Starts;
        var table = new FakeQemu.Toy { Version = 3, Size = (uint)sizeof(FakeQemu.Toy), Api = 0x70 };
        Assert.Equal((0, 0x70, ""), Open("toy", 3, &table));
        table.Api = 0x71;
        Assert.Equal((0, 0x70, ""), Open("toy", 3, &table));
        Assert.InRange(FakeQemu.Starts - before, 0, 1);
        Assert.Equal(1, FakeQemu.Starts);
    }

    [Fact]
    public void An_interface_that_does_not_fit_is_refused()
    {
        var table = new FakeQemu.Toy { Version = 3, Size = (uint)sizeof(FakeQemu.Toy) };
        FakeQemu.Toy older = table with { Version = 2 };
        FakeQemu.Toy longer = table with { Size = 64 };

        Assert.Equal((Errno.NoEntry, 0, "it has no interface 'pci', only toy, broken"), Open("pci", 3, &table));
        Assert.Equal((Errno.NoEntry, 0, "it has no interface '', only toy, broken"), Open(null, 3, &table));
        Assert.Equal((Errno.Protocol, 0, "it has ABI version 3 of 'toy', this QEMU needs 4: install the pair that was built together"), Open("toy", 4, &table));
        foreach (nint wrong in (nint[])[(nint)(&older), (nint)(&longer), 0])
        {
            Assert.Equal((Errno.Protocol, 0, "this QEMU's table of 'toy' is not the one of ABI version 3: install the pair that was built together"), Open("toy", 3, (void*)wrong));
        }
    }

    [Fact]
    public void An_interface_that_cannot_start_is_an_error_and_not_the_end()
    {
        FakeQemu.Forget();
        var table = new FakeQemu.Toy { Version = 1, Size = (uint)sizeof(FakeQemu.Toy), Api = 0x90 };
        Assert.Equal((Errno.IO, 0, "not at the first time"), Open("broken", 1, &table));
        Assert.StartsWith("libtoy.so: internal error in GetInterface, please report it", Assert.Single(FakeQemu.Lines).Text, StringComparison.Ordinal);
        Assert.Equal((0, 0x90, ""), Open("broken", 1, &table));
    }

    private static (int Result, nint Api, string Text) Open(string? name, uint version, void* host)
    {
        void* api = null;
        dotnet_error error = default;
        fixed (byte* text = HostText.Encode(name))
        {
            return (FakeQemu.Api->get_interface((sbyte*)text, version, host, &api, &error), (nint)api, FakeQemu.Text(&error));
        }
    }

    private static void Refused(string why, uint version, dotnet_host* host, dotnet_api** api)
    {
        dotnet_error error = default;
        Assert.Equal(Errno.Protocol, QemuLibrary.Start("libtoy.so", version, (nint)host, (nint)api, (nint)(&error)));
        Assert.Contains("libtoy.so", FakeQemu.Text(&error), StringComparison.Ordinal);
        Assert.Contains(why, FakeQemu.Text(&error), StringComparison.Ordinal);
    }
}
