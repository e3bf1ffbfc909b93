// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What docs/reference/vhost-pci-net-device.md says a device shows: the reference that a run is compared with.</summary>
internal sealed class DeviceModel(MirrorModel mirror, OriginModel origin, ulong windowSize, int rings)
{
    private readonly RingModel?[] _shown = new RingModel?[rings];
    private bool _driverReady;
    private bool _windowMissing;
    private uint? _awaited;
    private uint _epoch;
    private uint _ack;
    private ulong _features;
    private byte[] _originMac = new byte[MacAddress.Size];
    private ushort _mtu;
    private uint _announced;
    private (byte[] OriginMac, ushort Mtu, uint Announced) _news = (new byte[MacAddress.Size], 0, 0);
    private bool _untold;

    /// <summary>Null when the guest has been asked for the device.</summary>
    internal OriginModel? Origin { get; private set; } = origin;

    internal ulong WindowSize => windowSize;

    internal bool IsUp { get; private set; }

    /// <summary>Whether the origin's rings run, so that the link comes as soon as the driver has let go of what was before.</summary>
    private bool IsWanted => Origin is { IsStarted: true };

    internal void Describe(byte[] mac, ushort mtu)
    {
        if (mac.Any(static part => part != 0))
        {
            _news.OriginMac = mac;
        }

        _news.Mtu = mtu;
        Tell();
    }

    internal void Announce(byte[] mac)
    {
        _news.OriginMac = mac;
        _news.Announced++;
        Tell();
    }

    internal void Switched(byte[] mac)
    {
        _news.OriginMac = mac;
        Tell();
    }

    private void Tell()
    {
        _untold = true;
        TellNews();
    }

    /// <summary>News waits for the acknowledgement of the last step.</summary>
    private void TellNews()
    {
        if (_untold && !(_driverReady && unchecked((int)(_epoch - _ack)) > 0))
        {
            NextStep();
        }
    }

    private void NextStep()
    {
        (_originMac, _mtu, _announced) = _news;
        _untold = false;
        _features = IsUp ? Origin!.EffectiveFeatures : 0;
        _epoch++;
    }

    /// <summary>Link and rings follow the origin; nothing new appears before the driver has let go.</summary>
    internal void Follow()
    {
        if (IsUp && !IsWanted)
        {
            Withdraw();
        }

        if (IsWanted && _awaited is not null)
        {
            mirror.Awaited++;
        }

        if (!IsWanted || _awaited is not null || _windowMissing)
        {
            return;
        }

        bool changed = !IsUp;
        for (int i = 0; i < rings; i++)
        {
            RingModel? ring = Origin!.RingAt(i);
            if (ring is { InUse: true } && _shown[i] is null)
            {
                ring.HasRun = true;
                _shown[i] = ring;
                changed = true;
            }
        }

        if (changed)
        {
            mirror.LinksUp += IsUp ? 0 : 1;
            mirror.Pairs += IsUp ? 1 : 0;
            IsUp = true;
            NextStep();
        }
    }

    internal void Withdraw()
    {
        if (!IsUp)
        {
            return;
        }

        IsUp = false;
        Array.Clear(_shown);
        NextStep();
        if (_driverReady && !_windowMissing)
        {
            _awaited = _epoch;
        }
    }

    internal void Abandon()
    {
        Withdraw();
        Origin = null;
    }

    internal void DriverReady(bool hasWindow)
    {
        if (_driverReady)
        {
            return;
        }

        _driverReady = true;
        if (!hasWindow)
        {
            _windowMissing = true;
            Withdraw();
        }

        Follow();
        TellNews();
    }

    internal void DriverReset()
    {
        _driverReady = false;
        _windowMissing = false;
        _awaited = null;
        Follow();
        TellNews();
    }

    internal void Acknowledge(uint epoch)
    {
        if (unchecked((int)(epoch - _epoch)) > 0)
        {
            return;
        }

        _ack = epoch;
        if (_awaited is { } awaited && unchecked((int)(epoch - awaited)) >= 0)
        {
            _awaited = null;
            Follow();
        }

        TellNews();
    }

    internal void AssertShownBy(FuzzDevice device, IPorts ports)
    {
        ReadOnlySpan<byte> config = device.Config;
        Span<byte> expected = stackalloc byte[config.Length];
        Write(expected);
        // Its own address follows from its id; others test that.
        config.Slice(GuestAbi.Config.Mac, MacAddress.Size).CopyTo(expected[GuestAbi.Config.Mac..]);
        if (!config.SequenceEqual(expected))
        {
            Assert.Fail($"config is {Convert.ToHexString(config)}\nand should be {Convert.ToHexString(expected)}");
        }

        Assert.Equal(IsUp ? Origin!.MemoryBytes : 0, device.Device.MappedBytes);
        Assert.Equal(Origin is null, device.IsAskedFor);
        for (int i = 0; i < rings; i++)
        {
            Assert.Equal(_shown[i] is { Kick: true }, device.Bound(i, RingEndpoint.Kick) >= 0);
            Assert.Equal(_shown[i] is { Call: true }, device.Bound(i, RingEndpoint.Call) >= 0);
        }

        if (ports.HeldByServer >= 0)
        {
            AssertBound(device, ports);
        }
    }

    private void AssertBound(FuzzDevice device, IPorts ports)
    {
        for (int i = 0; i < rings; i++)
        {
            Assert.True(_shown[i] is not { Kick: true } || ports.IsOpenEvent(device.Bound(i, RingEndpoint.Kick)));
            Assert.True(_shown[i] is not { Call: true } || ports.IsOpenEvent(device.Bound(i, RingEndpoint.Call)));
        }
    }

    private void Write(Span<byte> config)
    {
        config.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Version..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Epoch..], _epoch);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Ack..], _ack);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Link..], IsUp ? 1U : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.Mtu..], _mtu);
        _originMac.CopyTo(config[GuestAbi.Config.OriginMac..]);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.QueuePairs..], (ushort)(_shown.Count(static ring => ring is not null) / 2));
        BinaryPrimitives.WriteUInt64LittleEndian(config[GuestAbi.Config.Features..], _features);
        BinaryPrimitives.WriteUInt64LittleEndian(config[GuestAbi.Config.WindowSize..], windowSize);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.RingCount..], (ushort)rings);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.RingEntry..], 32);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.RingOffset..], 80);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Announce..], _announced);
        for (int i = 0; i < rings; i++)
        {
            if (_shown[i] is { } ring)
            {
                Span<byte> entry = config[(80 + (32 * i))..];
                BinaryPrimitives.WriteUInt64LittleEndian(entry, ring.Desc);
                BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], ring.Avail);
                BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], ring.Used);
                BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], ring.Size);
                BinaryPrimitives.WriteUInt32LittleEndian(entry[28..], 1);
            }
        }
    }
}
