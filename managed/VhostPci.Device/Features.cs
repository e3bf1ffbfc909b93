// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using System.Text;
using VhostPci.Protocol;

namespace VhostPci.Device;

/// <summary>Feature bits as people read them.</summary>
internal static class Features
{
    private static readonly (ulong Bit, string Name)[] Names =
    [
        (VirtioNetFeatures.Checksum, "csum"),
        (VirtioNetFeatures.GuestChecksum, "guest_csum"),
        (VirtioNetFeatures.GuestTso4, "guest_tso4"),
        (VirtioNetFeatures.GuestTso6, "guest_tso6"),
        (VirtioNetFeatures.HostTso4, "host_tso4"),
        (VirtioNetFeatures.HostTso6, "host_tso6"),
        (VirtioNetFeatures.MergeableReceiveBuffers, "mrg_rxbuf"),
        (VirtioNetFeatures.MultiQueue, "mq"),
        (VirtioNetFeatures.RingIndirect, "indirect_desc"),
        (VirtioNetFeatures.RingEventIndex, "event_idx"),
        (VirtioNetFeatures.VhostUserProtocolFeatures, "protocol_features"),
        (VirtioNetFeatures.Version1, "version_1"),
    ];

    /// <summary>Names of the bits that are set, lowest first; unknown ones as numbers.</summary>
    internal static string Describe(ulong features)
    {
        if (features == 0)
        {
            return "none";
        }

        var text = new StringBuilder();
        for (ulong rest = features; rest != 0; rest &= rest - 1)
        {
            int bit = BitOperations.TrailingZeroCount(rest);
            if (text.Length != 0)
            {
                text.Append(' ');
            }

            text.Append(Name(bit));
        }

        return text.ToString();
    }

    private static string Name(int bit)
    {
        foreach ((ulong mask, string name) in Names)
        {
            if (mask == 1UL << bit)
            {
                return name;
            }
        }

        return $"bit{bit}";
    }
}
