// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Common;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Net;

/// <summary>Feature bits of a network device as people read them.</summary>
internal static class NetFeatureNames
{
    internal static readonly (ulong Bit, string Name)[] All =
    [
        (VirtioNetFeatures.Checksum, "csum"),
        (VirtioNetFeatures.GuestChecksum, "guest_csum"),
        (VirtioNetFeatures.GuestTso4, "guest_tso4"),
        (VirtioNetFeatures.GuestTso6, "guest_tso6"),
        (VirtioNetFeatures.HostTso4, "host_tso4"),
        (VirtioNetFeatures.HostTso6, "host_tso6"),
        (VirtioNetFeatures.MergeableReceiveBuffers, "mrg_rxbuf"),
        (VirtioNetFeatures.MultiQueue, "mq"),
    ];

    internal static string Format(ulong features) => FeatureNames.Format(features, All);
}
