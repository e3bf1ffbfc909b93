// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>The shim's PCI device: remembers what is bound, and checks what may be asked of it.</summary>
internal sealed class FuzzDevice(IPorts ports, MirrorDevice device) : IDeviceHost
{
    private readonly int[] _kicks = Unbound();
    private readonly int[] _calls = Unbound();
    private byte[] _config = [];

    internal MirrorDevice Device { get; } = device;

    internal bool IsAskedFor { get; private set; }

    internal bool IsReleased { get; private set; }

    internal int Rings { get; private set; }

    internal uint Epoch => BinaryPrimitives.ReadUInt32LittleEndian(Config[GuestAbi.Config.Epoch..]);

    internal ReadOnlySpan<byte> Config
    {
        get
        {
            Device.ReadConfig(_config);
            return _config;
        }
    }

    internal void Attach(in DevicePlan plan)
    {
        Rings = plan.Rings;
        _config = new byte[plan.ConfigSize];
        Assert.Equal(NetConfigAt.Size(plan.Rings), plan.ConfigSize);
    }

    internal int Bound(int ring, RingEndpoint endpoint) => Table(endpoint)[ring];

    internal void Remove()
    {
        Device.Detach();
        Assert.All(_kicks.Concat(_calls), static bound => Assert.Equal(-1, bound));
        Device.Release();
        IsReleased = true;
    }

    public bool TryUnplug(out string error)
    {
        Assert.False(IsReleased);
        IsAskedFor = true;
        error = string.Empty;
        return true;
    }

    public void NotifyConfigChanged()
    {
        Assert.False(IsReleased);
        bool link = Config[GuestAbi.Config.Link] != 0;
        Assert.Equal(link, Device.MappedBytes != 0);
    }

    public bool Bind(int ring, RingEndpoint endpoint, int descriptor)
    {
        Assert.InRange(ring, 0, Rings - 1);
        ref int bound = ref Table(endpoint)[ring];
        // A doorbell in a vCPU could reach another file under an old number.
        Assert.True(bound < 0 || ports.IsOpenEvent(bound), "the eventfd was closed before it was disconnected");
        Assert.True(descriptor < 0 || ports.IsOpenEvent(descriptor), "not an eventfd");
        bound = descriptor;
        return true;
    }

    public bool BindAll(ReadOnlySpan<RingFiles> files)
    {
        Assert.Equal(Rings, files.Length);
        for (int i = 0; i < files.Length; i++)
        {
            if (files[i].Kick != RingFiles.Keep)
            {
                Bind(i, RingEndpoint.Kick, files[i].Kick);
            }

            if (files[i].Call != RingFiles.Keep)
            {
                Bind(i, RingEndpoint.Call, files[i].Call);
            }
        }

        return true;
    }

    public bool TakeWindowFault() => false;

    public void RaiseRing(int ring) => Assert.InRange(ring, 0, Rings - 1);

    public RingCounters GetCounters(int ring) => new(1, 2, 3);

    private static int[] Unbound()
    {
        int[] table = new int[GuestAbi.MaxRings];
        Array.Fill(table, -1);
        return table;
    }

    private int[] Table(RingEndpoint endpoint) => endpoint == RingEndpoint.Kick ? _kicks : _calls;
}
