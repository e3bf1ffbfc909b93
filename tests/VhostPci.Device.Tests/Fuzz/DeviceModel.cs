// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Ports;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What docs/reference/vhost-pci-net-device.md says a device shows: the reference that a run is compared with.</summary>
internal sealed class DeviceModel(MirrorModel mirror, OriginModel? origin, ulong windowSize, int rings)
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
    private ulong _acceptField;
    private uint _driverField;
    private ulong _accept;
    private bool _driverDown;
    private bool _linkOff;
    private bool _asked;
    private long _awayUntil;

    /// <summary>Null when it has gone.</summary>
    internal OriginModel? Origin { get; private set; } = origin;

    /// <summary>There from the start, and never asked for.</summary>
    internal bool IsStatic { get; } = origin is null;

    /// <summary>Takes only an origin that never comes.</summary>
    internal bool IsForNobody { get; init; }

    /// <summary>How its origin is known when it comes again; null when it cannot be.</summary>
    internal object? Key { get; set; } = origin?.Key;

    /// <summary>Whether its origin may still return.</summary>
    internal bool IsAway => Origin is null && !IsStatic && !_asked;

    internal bool IsLeaving => _asked;

    internal int Rings => rings;

    /// <summary>What the driver can do without.</summary>
    internal ulong Accepted => _accept == 0 ? ulong.MaxValue : _accept | (1UL << 30);

    internal bool IsDriverLinkUp => !_driverDown && !_linkOff;

    internal bool Accepts(ulong features) => (features & ~Accepted) == 0;

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

        if (!IsWanted || _awaited is not null || _windowMissing || _linkOff || !Accepts(Origin!.Features))
        {
            return;
        }

        bool changed = !IsUp;
        for (int i = 0; i < rings; i++)
        {
            RingModel? ring = Origin!.RingAt(i);
            if (ring is { InUse: true } && _shown[i] is null)
            {
                Origin.Show(ring);
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

    /// <summary>The origin is gone.</summary>
    /// <param name="forGood">It needs another device.</param>
    internal void Abandon(bool forGood)
    {
        if (IsStatic)
        {
            _news.OriginMac = new byte[MacAddress.Size];
            _news.Mtu = 0;
            _untold = true;
        }

        Withdraw();
        Origin = null;
        if (IsStatic)
        {
            TellNews();
            mirror.Retry();
            return;
        }

        _asked = forGood || mirror.Setup.UnplugDelay == 0;
        _awayUntil = mirror.Now + (1000 * mirror.Setup.UnplugDelay);
    }

    internal void Adopt(OriginModel adopted)
    {
        Assert.Null(Origin);
        Origin = adopted;
        Key = adopted.Key;
        mirror.Returns += IsStatic ? 0 : 1;
        mirror.Adoptions += IsStatic ? 1 : 0;
    }

    /// <summary>The guest is asked for it.</summary>
    internal void Leave() => _asked = true;

    internal void Expire()
    {
        if (IsAway && mirror.Now >= _awayUntil)
        {
            Leave();
        }
    }

    internal void DriverReady(bool hasWindow)
    {
        if (_driverReady)
        {
            return;
        }

        _driverReady = true;
        _windowMissing = !hasWindow;
        ApplyDriver();
        if (!hasWindow)
        {
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
        _acceptField = 0;
        _driverField = 0;
        Follow();
        TellNews();
    }

    /// <summary>The driver's own fields; what they say counts while it is there, and stands until the next one is.</summary>
    internal void DriverSays(ulong accept, uint driver)
    {
        _acceptField = accept;
        _driverField = driver;
        if (_driverReady)
        {
            ApplyDriver();
        }
    }

    internal void SwitchLink(bool up)
    {
        if (_linkOff != up)
        {
            return;
        }

        _linkOff = !up;
        mirror.Switches += _linkOff && IsUp ? 1 : 0;
        if (_linkOff)
        {
            Withdraw();
        }

        Origin?.DriverChanged();
        Follow();
    }

    private void ApplyDriver()
    {
        ulong accept = _acceptField;
        if (accept != 0 && (accept & (1UL << 32)) == 0)
        {
            // The half with VERSION_1 is not there yet.
            accept = _accept;
        }

        // Segmentation needs checksums.
        accept &= (accept & 1) != 0 ? ulong.MaxValue : ~((1UL << 11) | (1UL << 12));
        accept &= (accept & 2) != 0 ? ulong.MaxValue : ~((1UL << 7) | (1UL << 8));
        bool down = (_driverField & 1) != 0;
        if (accept == _accept && down == _driverDown)
        {
            return;
        }

        (_accept, _driverDown) = (accept, down);
        mirror.Accepted = Accepted;
        if (IsUp && !Accepts(Origin!.Features))
        {
            mirror.Switches++;
            Withdraw();
        }

        Origin?.DriverChanged();
        Follow();
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
        config.Slice(NetConfigAt.Mac, MacAddress.Size).CopyTo(expected[NetConfigAt.Mac..]);
        if (!config.SequenceEqual(expected))
        {
            Assert.Fail($"config is {Convert.ToHexString(config)}\nand should be {Convert.ToHexString(expected)}");
        }

        Assert.Equal(IsUp ? Origin!.MemoryBytes : 0, device.Device.MappedBytes);
        Assert.Equal(_asked, device.IsAskedFor);
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
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Version..], 2);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Epoch..], _epoch);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Ack..], _ack);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Link..], IsUp ? 1U : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(config[NetConfigAt.Mtu..], _mtu);
        _originMac.CopyTo(config[NetConfigAt.OriginMac..]);
        BinaryPrimitives.WriteUInt16LittleEndian(config[NetConfigAt.QueuePairs..], (ushort)(_shown.Count(static ring => ring is not null) / 2));
        BinaryPrimitives.WriteUInt64LittleEndian(config[GuestAbi.Config.Features..], _features & ~VirtioFeatures.VhostUserProtocolFeatures);
        BinaryPrimitives.WriteUInt64LittleEndian(config[GuestAbi.Config.WindowSize..], windowSize);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.RingCount..], (ushort)rings);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.RingEntry..], 32);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.RingOffset..], 128);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.DeviceClass..], 1);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.DeviceConfigOffset..], 96);
        BinaryPrimitives.WriteUInt16LittleEndian(config[GuestAbi.Config.DeviceConfigSize..], 32);
        BinaryPrimitives.WriteUInt32LittleEndian(config[NetConfigAt.Announce..], _announced);
        BinaryPrimitives.WriteUInt64LittleEndian(config[GuestAbi.Config.Accept..], _acceptField);
        BinaryPrimitives.WriteUInt32LittleEndian(config[GuestAbi.Config.Driver..], _driverField);
        for (int i = 0; i < rings; i++)
        {
            if (_shown[i] is { } ring)
            {
                Span<byte> entry = config[(128 + (32 * i))..];
                BinaryPrimitives.WriteUInt64LittleEndian(entry, ring.Desc);
                BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], ring.Avail);
                BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], ring.Used);
                BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], ring.Size);
                BinaryPrimitives.WriteUInt32LittleEndian(entry[28..], 1);
            }
        }
    }
}
