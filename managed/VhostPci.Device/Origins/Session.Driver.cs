// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Origins;

/// <summary>What the origin's driver switches while it runs.</summary>
internal sealed partial class Session
{
    private ulong _offloads = VirtioNetFeatures.GuestOffloads;
    private MacAddress? _mac;

    /// <summary>Address of the origin's interface now; zero when not known.</summary>
    internal MacAddress Mac => _mac ?? Info?.Mac ?? default;

    /// <summary><see cref="Features"/> without what the driver has switched off.</summary>
    internal ulong EffectiveFeatures => VirtioNetFeatures.Consistent(Features & (~VirtioNetFeatures.GuestOffloads | _offloads));

    private Verdict SetDriverState(DriverState state)
    {
        if ((ProtocolFeatures & Protocol.ProtocolFeatures.DriverState) == 0)
        {
            return Verdict.Refuse("driver state without its protocol feature");
        }

        if (!_featuresSet)
        {
            return Verdict.Refuse("driver state before features");
        }

        Verdict verdict = state.Check();
        if (!verdict.IsOk)
        {
            return verdict;
        }

        verdict = CheckAddress(state.Mac);
        if (!verdict.IsOk)
        {
            return verdict;
        }

        ulong excess = state.Offloads & ~Features;
        if (excess != 0)
        {
            return Verdict.Refuse($"driver state with {FeatureNames.Format(excess)} on, which the driver has not acknowledged");
        }

        if (state.Offloads != (_offloads & Features) || state.Mac != Mac)
        {
            _offloads = state.Offloads;
            _mac = state.Mac;
            owner.Device?.Follow(state.Mac);
        }

        return Verdict.Ok;
    }
}
