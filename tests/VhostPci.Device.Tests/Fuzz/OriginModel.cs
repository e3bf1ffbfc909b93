// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What docs/reference/protocol.md says about one session, written a second time and shorter: the reference that a run is compared with.</summary>
/// <remarks>It takes the same bytes and descriptors. It shares numbers and names with the product, no code.</remarks>
internal sealed partial class OriginModel(MirrorModel mirror, Contents contents, int replyRoom)
{
    /// <summary>NET_GUEST_CSUM, NET_GUEST_TSO4, NET_GUEST_TSO6.</summary>
    private const ulong Offloads = (1UL << 1) | (1UL << 7) | (1UL << 8);

    private readonly List<RingModel> _rings = [new(), new()];
    private readonly List<(ulong Guest, ulong Length, ulong User, ulong Offset)> _memory = [];
    private bool _ringsFixed;
    private bool _featuresSet;
    private ulong _protocolFeatures;
    private ulong _status;
    private byte[] _mac = new byte[MacAddress.Size];
    private byte[]? _macNow;
    private ulong _offloads = Offloads;
    private ushort _mtu;
    private bool _hasInfo;
    private ulong _memoryEnd;
    private ulong _windowSize;
    private string _name = string.Empty;
    private byte[] _uuid = new byte[16];
    private ulong _offered = VirtioNetFeatures.Offered;
    private ulong? _toldFeatures;
    private bool _toldLink = true;
    private bool _busy;
    private bool _failed;

    /// <summary>How it is known when it comes again: user, name, address and VM.</summary>
    internal object? Key => _hasInfo && (_mac.Any(static part => part != 0) || _uuid.Any(static part => part != 0))
        ? (_name, Convert.ToHexString(_mac), Convert.ToHexString(_uuid)) : null;

    private bool IsExtended => (_protocolFeatures & ProtocolFeatures.VhostPci) != 0;

    internal bool IsClosed { get; private set; }

    internal bool IsWaitingForSlot { get; private set; }

    private DeviceModel? _madeRoom;

    internal DeviceModel? Device { get; private set; }

    internal ulong Features { get; private set; }

    /// <summary>Without what the driver has switched off; segmentation needs checksums.</summary>
    internal ulong EffectiveFeatures
    {
        get
        {
            ulong features = Features & (~Offloads | _offloads);
            features &= (features & 1) != 0 ? ulong.MaxValue : ~((1UL << 11) | (1UL << 12));
            return features & ((features & 2) != 0 ? ulong.MaxValue : ~((1UL << 7) | (1UL << 8)));
        }
    }

    /// <summary>Whether the first pair runs.</summary>
    internal bool IsStarted => _rings[0].InUse;

    internal ulong MemoryBytes => _memory.Aggregate(0UL, static (sum, region) => sum + region.Length);

    /// <summary>Descriptors that the server holds for it, with its socket.</summary>
    internal int Held => IsClosed ? 0 : 1 + _files.Count + _memory.Count + _rings.Sum(static ring => (ring.Kick ? 1 : 0) + (ring.Call ? 1 : 0));

    /// <summary>All that the server has sent so far and the peer has not read.</summary>
    internal List<byte> Replies { get; } = [];

    internal RingModel? RingAt(int index) => index < _rings.Count ? _rings[index] : null;

    /// <summary>The connection ends, whoever has ended it.</summary>
    /// <param name="withDevice">Because its device is gone already.</param>
    internal void Close(bool withDevice = false)
    {
        if (IsClosed)
        {
            return;
        }

        IsClosed = true;
        IsWaitingForSlot = false;
        _files.Clear();
        _rings.ForEach(static ring => ring.InUse = false);
        if (!withDevice)
        {
            DeviceModel? device = Device;
            Device = null;
            device?.Abandon(forGood: false);
        }

        Device = null;
    }

    private void Fail()
    {
        if (_busy)
        {
            _failed = true;
        }
        else
        {
            Close();
        }
    }

    private bool Act(RequestCode request, ReadOnlySpan<byte> payload, ref byte[]? reply)
    {
        ulong number = payload.Length >= 8 ? BinaryPrimitives.ReadUInt64LittleEndian(payload) : 0;
        switch (request)
        {
            case RequestCode.GetFeatures:
                _offered = VirtioNetFeatures.Offered & mirror.Accepted;
                return Answer(_offered, out reply);
            case RequestCode.GetProtocolFeatures:
                return Answer(ProtocolFeatures.Offered, out reply);
            case RequestCode.GetQueueNum:
                return Answer(32, out reply);
            case RequestCode.GetMaxMemorySlots:
                return Answer(8, out reply);
            case RequestCode.GetStatus:
                return Answer(_status, out reply);
            case RequestCode.SetOwner:
                return true;
            case RequestCode.ResetOwner or RequestCode.ResetDevice:
                Reset(keepPositions: false);
                return true;
            case RequestCode.SetFeatures:
                return SetFeatures(number);
            case RequestCode.SetProtocolFeatures:
                return SetProtocolFeatures(number);
            case RequestCode.SetStatus:
                _status = number;
                if (number == 0)
                {
                    Reset(keepPositions: true);
                }

                return number <= 255;
            case RequestCode.NetSetMtu:
                return number is >= 68 and <= 65535 && SetMtu((ushort)number);
            case RequestCode.SendRarp:
                return Announce(payload[..MacAddress.Size].ToArray());
            case RequestCode.SetDeviceInfo:
                return SetInfo(payload);
            case RequestCode.SetDriverState:
                return SetDriverState(number, payload);
            case RequestCode.SetMemoryTable:
                return SetTable(payload);
            case RequestCode.AddMemoryRegion:
                return AddRegion(payload);
            case RequestCode.RemoveMemoryRegion:
                return RemoveRegion(payload);
            default:
                return ActOnRing(request, payload, ref reply);
        }
    }

    private static bool Answer(ulong value, out byte[] reply)
    {
        reply = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(reply, value);
        return true;
    }

    private bool SetFeatures(ulong features)
    {
        bool allowed = (features & ~VirtioNetFeatures.Offered) == 0 && !(IsStarted && features != Features)
            && ((features & VirtioFeatures.RingPacked) == 0 || (features & VirtioFeatures.Version1) != 0);
        Features = features;
        _featuresSet = true;
        _offloads = IsStarted ? _offloads : Offloads;
        return allowed;
    }

    private bool SetProtocolFeatures(ulong features)
    {
        bool allowed = (features & ~ProtocolFeatures.Offered) == 0;
        _protocolFeatures = allowed ? features : _protocolFeatures;
        return allowed;
    }

    private bool SetMtu(ushort mtu)
    {
        if (mtu != _mtu)
        {
            _mtu = mtu;
            Device?.Describe(_macNow ?? _mac, mtu);
        }

        return true;
    }

    private bool SetDriverState(ulong offloads, ReadOnlySpan<byte> payload)
    {
        byte[] mac = payload[8..14].ToArray();
        bool sound = (_protocolFeatures & (1UL << 57)) != 0 && _featuresSet && (offloads & ~(Features & Offloads)) == 0
            && (mac[0] & 1) == 0 && payload[14] == 0 && payload[15] == 0;
        if (sound && (offloads != (_offloads & Features & Offloads) || !mac.SequenceEqual(_macNow ?? _mac)))
        {
            _offloads = offloads;
            _macNow = mac;
            Device?.Switched(mac);
        }

        return sound;
    }

    private bool Announce(byte[] mac)
    {
        bool sound = (_protocolFeatures & ProtocolFeatures.Rarp) != 0 && (mac[0] & 1) == 0 && mac.Any(static part => part != 0);
        if (sound)
        {
            Device?.Announce(mac);
        }

        return sound;
    }

    private bool SetInfo(ReadOnlySpan<byte> payload)
    {
        int pairs = BinaryPrimitives.ReadUInt16LittleEndian(payload[6..]);
        byte[] mac = payload[24..30].ToArray();
        ushort mtu = BinaryPrimitives.ReadUInt16LittleEndian(payload[30..]);
        ulong end = BinaryPrimitives.ReadUInt64LittleEndian(payload[32..]);
        bool sound = (_protocolFeatures & ProtocolFeatures.VhostPci) != 0 && !_hasInfo
            && BinaryPrimitives.ReadUInt32LittleEndian(payload) == 1 && BinaryPrimitives.ReadUInt16LittleEndian(payload[4..]) == 1
            && pairs is >= 1 and <= 32 && (mac[0] & 1) == 0 && mtu is 0 or >= 68 && end != 0
            && (_ringsFixed ? 2 * pairs == _rings.Count : 2 * pairs >= _rings.Count);
        if (!sound)
        {
            return false;
        }

        if (WindowFor(end) == 0)
        {
            return false;
        }

        Grow(pairs);
        _hasInfo = true;
        _ = DeviceInfo.TryParse(payload, out DeviceInfo parsed);
        _name = parsed.Name;
        _uuid = payload[8..24].ToArray();
        _mac = mac;
        _mtu = mtu != 0 ? mtu : _mtu;
        Device?.Describe(_macNow ?? _mac, _mtu);
        return NeedDevice(end);
    }

    /// <summary>The pairs in use follow what has been said.</summary>
    private bool Update()
    {
        if (!CanPlace(_memory, all: false))
        {
            return false;
        }

        if (Device is null)
        {
            return true;
        }

        bool run = CanRun(0);
        for (int pair = 0; pair < _rings.Count / 2; pair++)
        {
            if (_rings[2 * pair].InUse && !(run && CanRun(pair)))
            {
                StopAll();
            }
        }

        if (run && !IsStarted && !IsExtended && !Device.Accepts(Features))
        {
            return false;
        }

        for (int pair = 0; run && pair < _rings.Count / 2; pair++)
        {
            if (!_rings[2 * pair].InUse && CanRun(pair))
            {
                if (!Place(_rings[2 * pair]) || !Place(_rings[(2 * pair) + 1]))
                {
                    return false;
                }

                _rings[2 * pair].InUse = true;
                _rings[(2 * pair) + 1].InUse = true;
            }
        }

        Device.Follow();
        return true;
    }

    private bool CanRun(int pair) => CanRun(pair, _memory.Count);

    private bool CanRun(int pair, int regions) => _featuresSet && regions != 0 && CanRun(_rings[2 * pair]) && CanRun(_rings[(2 * pair) + 1]);

    private bool CanRun(RingModel ring)
        => ring.Size != 0 && ring.Address is not null && ring.Kick && (ring.Enabled || (Features & VirtioFeatures.VhostUserProtocolFeatures) == 0);

    /// <summary>The window is one: it goes with all rings, and those that still can come back.</summary>
    private void StopAll()
    {
        if (IsStarted)
        {
            _rings.ForEach(static ring => ring.InUse = false);
            Device?.Withdraw();
        }
    }

    private void Reset(bool keepPositions)
    {
        StopAll();
        foreach (RingModel ring in _rings)
        {
            ring.Kick = false;
            ring.Address = null;
            ring.Enabled = false;
            if (!keepPositions)
            {
                ring.Base = 0;
                ring.HasBase = false;
                ring.HasRun = false;
            }
        }
    }

    private void Grow(int pairs)
    {
        while (_rings.Count < 2 * pairs)
        {
            _rings.Add(new RingModel());
        }
    }
}
