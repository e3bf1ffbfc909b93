// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Net;

/// <summary>An origin's network device: its address, its MTU, and what its driver switches while it runs.</summary>
internal sealed class NetOriginPart(AddressBook addresses) : OriginPart
{
    private const ushort MaximumMtu = ushort.MaxValue;

    private ulong _offloads = VirtioNetFeatures.GuestOffloads;
    private MacAddress? _mac;

    /// <summary>The address that its device has been given; zero when not known.</summary>
    internal MacAddress FirstMac { get; private set; }

    /// <summary>The address of its interface now; zero when not known.</summary>
    internal MacAddress Mac => _mac ?? FirstMac;

    /// <summary>Bytes; 0 when not known.</summary>
    internal ushort Mtu { get; private set; }

    internal override Verdict Check(DeviceInfo info, IClassSession session) => Check(info.Mac, session);

    internal override void Take(DeviceInfo info)
    {
        FirstMac = info.Mac;
        if (info.Mtu != 0)
        {
            Mtu = info.Mtu;
        }
    }

    internal override Verdict Handle(Request request, IClassSession session, out bool changed)
    {
        changed = false;
        return request switch
        {
            SetMtu set => SetMtu(set.Mtu, session, ref changed),
            SendRarp send => SendRarp(send.Rarp, session, ref changed),
            SetDriverState set => SetDriverState(set.State, session, ref changed),
            _ => throw new InvalidOperationException($"nobody handles {request.GetType().Name}"),
        };
    }

    internal override void Introduce(DevicePart device) => ((NetDevicePart)device).Meet(this);

    /// <summary>A driver begins with all on.</summary>
    internal override void OnFeatures() => _offloads = VirtioNetFeatures.GuestOffloads;

    internal override ulong MakeEffective(ulong features)
        => VirtioNetFeatures.Consistent(features & (~VirtioNetFeatures.GuestOffloads | _offloads));

    internal override void Release() => addresses.Remove(this);

    private Verdict SetMtu(ulong mtu, IClassSession session, ref bool changed)
    {
        if (mtu is < DeviceInfo.MinMtu or > MaximumMtu)
        {
            return Verdict.Refuse($"an MTU of {mtu}");
        }

        changed = mtu != Mtu;
        Mtu = (ushort)mtu;
        if (changed && session.DevicePart is { } device)
        {
            Introduce(device);
        }

        return Verdict.Ok;
    }

    private Verdict SendRarp(RarpPayload rarp, IClassSession session, ref bool changed)
    {
        if ((session.ProtocolFeatures & ProtocolFeatures.Rarp) == 0)
        {
            return Verdict.Refuse("SEND_RARP without its protocol feature");
        }

        Verdict verdict = rarp.Check();
        verdict = verdict.IsOk ? Check(rarp.Mac, session) : verdict;
        if (verdict.IsOk && session.DevicePart is NetDevicePart device)
        {
            device.Announce(rarp.Mac);
            changed = true;
        }

        return verdict;
    }

    private Verdict SetDriverState(DriverState state, IClassSession session, ref bool changed)
    {
        if ((session.ProtocolFeatures & ProtocolFeatures.DriverState) == 0)
        {
            return Verdict.Refuse("driver state without its protocol feature");
        }

        if (!session.HasFeatures)
        {
            return Verdict.Refuse("driver state before features");
        }

        Verdict verdict = state.Check();
        verdict = verdict.IsOk ? Check(state.Mac, session) : verdict;
        ulong excess = state.Offloads & ~session.Features;
        if (verdict.IsOk && excess != 0)
        {
            verdict = Verdict.Refuse($"driver state with {NetFeatureNames.Format(excess)} on, which the driver has not acknowledged");
        }

        if (verdict.IsOk && (state.Offloads != (_offloads & session.Features) || state.Mac != Mac))
        {
            changed = true;
            _offloads = state.Offloads;
            _mac = state.Mac;
            (session.DevicePart as NetDevicePart)?.Follow(state.Mac);
        }

        return verdict;
    }

    private Verdict Check(MacAddress mac, IClassSession session) => addresses.Check(mac, session.DevicePart as NetDevicePart);
}
