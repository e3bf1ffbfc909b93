// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Devices;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Support;

/// <summary>The shim's PCI device and the mirror's driver in one; keeps what happened, in order.</summary>
internal sealed class FakeDevice(MirrorDevice device, int slot, string id) : IDeviceHost
{
    internal const ulong WindowAddress = 0x1_0000_0000;
    internal const uint DriverOk = 0xf;

    private readonly Dictionary<(int Ring, RingEndpoint Endpoint), int> _bound = [];

    internal MirrorDevice Device { get; } = device;

    internal int Slot { get; } = slot;

    internal string Id { get; } = id;

    internal DevicePlan Plan { get; set; }

    internal List<string> Events { get; } = [];

    internal int UnplugRequests { get; private set; }

    internal int ConfigChanges { get; private set; }

    internal int[] Raised { get; } = new int[GuestAbi.MaxRings];

    internal bool BindFails { get; set; }

    internal FaultPlan? Faults { get; set; }

    /// <summary>How often the host had to change its tables for all rings.</summary>
    internal int BindCalls { get; private set; }

    internal bool WindowFault { get; set; }

    internal bool UnplugFails { get; set; }

    /// <summary>What the host does when it is told of a change.</summary>
    internal Action? Told { get; set; }

    internal uint Epoch => Read32(GuestAbi.Config.Epoch);

    internal bool Link => Read32(GuestAbi.Config.Link) == GuestAbi.LinkUp;

    internal byte[] Config
    {
        get
        {
            byte[] config = new byte[Plan.ConfigSize];
            Device.ReadConfig(config);
            return config;
        }
    }

    public bool TryUnplug(out string error)
    {
        UnplugRequests++;
        Events.Add("unplug");
        Faults?.Step();
        error = UnplugFails ? "the guest has no driver for its bridge" : string.Empty;
        return !UnplugFails;
    }

    public void NotifyConfigChanged()
    {
        Told?.Invoke();
        ConfigChanges++;
        Events.Add($"config link={(Link ? 1 : 0)} mapped={Device.MappedBytes}");
        Faults?.Step();
    }

    public bool Bind(int ring, RingEndpoint endpoint, int descriptor)
    {
        bool bound = TryBind(ring, endpoint, descriptor);
        if (bound)
        {
            Faults?.Step();
        }

        return bound;
    }

    private bool TryBind(int ring, RingEndpoint endpoint, int descriptor)
    {
        if (BindFails && descriptor >= 0)
        {
            return false;
        }

        Assert.InRange(ring, 0, Plan.Rings - 1);
        if (descriptor < 0 && Bound(ring, endpoint) >= 0)
        {
            // The eventfd must still be open when it is disconnected.
            Assert.True(File.Exists($"/proc/self/fd/{Bound(ring, endpoint)}"));
            Events.Add($"unbind {ring} {endpoint} mapped={(Device.MappedBytes != 0 ? 1 : 0)}");
        }

        _bound[(ring, endpoint)] = descriptor;
        return true;
    }

    public bool BindAll(ReadOnlySpan<RingFiles> files)
    {
        BindCalls++;
        foreach (RingEndpoint endpoint in (RingEndpoint[])[RingEndpoint.Kick, RingEndpoint.Call])
        {
            for (int i = 0; i < files.Length; i++)
            {
                int descriptor = endpoint == RingEndpoint.Kick ? files[i].Kick : files[i].Call;
                if (descriptor != RingFiles.Keep && !TryBind(i, endpoint, descriptor))
                {
                    return false;
                }
            }
        }

        Faults?.Step();
        return true;
    }

    public bool TakeWindowFault()
    {
        bool fault = WindowFault;
        WindowFault = false;
        return fault;
    }

    public void RaiseRing(int ring)
    {
        Raised[ring]++;
        Faults?.Step();
    }

    public RingCounters GetCounters(int ring) => new(1, 2, 3);

    internal int Bound(int ring, RingEndpoint endpoint) => _bound.GetValueOrDefault((ring, endpoint), -1);

    internal void StartDriver() => Device.SetStatus(DriverOk, WindowAddress);

    internal void ResetDriver() => Device.SetStatus(0, WindowAddress);

    internal void Acknowledge(uint epoch)
    {
        byte[] config = Config;
        BinaryPrimitives.WriteUInt32LittleEndian(config.AsSpan(GuestAbi.Config.Ack), epoch);
        Device.WriteConfig(config);
    }

    /// <summary>The driver's other two fields.</summary>
    internal void WriteDriver(ulong accept = 0, uint driver = 0)
    {
        byte[] config = Config;
        BinaryPrimitives.WriteUInt64LittleEndian(config.AsSpan(GuestAbi.Config.Accept), accept);
        BinaryPrimitives.WriteUInt32LittleEndian(config.AsSpan(GuestAbi.Config.Driver), driver);
        Device.WriteConfig(config);
    }

    internal void Remove()
    {
        Device.Detach();
        Device.Release();
    }

    internal uint Read32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(Config.AsSpan(at));

    internal int QueuePairs => BinaryPrimitives.ReadUInt16LittleEndian(Config.AsSpan(NetConfigAt.QueuePairs));

    /// <summary>Whether the driver finds this ring in the table.</summary>
    internal bool HasRing(int ring)
    {
        int entry = NetConfigAt.Rings + (ring * GuestAbi.Ring.Size);
        bool enabled = Read32(entry + GuestAbi.Ring.Flags) == GuestAbi.RingEnabled;
        Assert.Equal(enabled, Read32(entry + GuestAbi.Ring.Entries) != 0);
        Assert.Equal(enabled, Read64(entry + GuestAbi.Ring.Desc) != 0);
        Assert.Equal(enabled, Bound(ring, RingEndpoint.Kick) >= 0);
        return enabled;
    }

    internal ulong Read64(int at) => BinaryPrimitives.ReadUInt64LittleEndian(Config.AsSpan(at));
}
