// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using System.Text;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Common;

/// <summary>Feature bits as people read them.</summary>
internal static class FeatureNames
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
        (VirtioFeatures.RingIndirect, "indirect_desc"),
        (VirtioFeatures.RingEventIndex, "event_idx"),
        (VirtioFeatures.VhostUserProtocolFeatures, "protocol_features"),
        (VirtioFeatures.Version1, "version_1"),
        (VirtioFeatures.RingPacked, "ring_packed"),
        (VirtioFeatures.InOrder, "in_order"),
    ];

    private static readonly (ulong Bit, string Name)[] ProtocolNames =
    [
        (ProtocolFeatures.MultiQueue, "mq"),
        (ProtocolFeatures.Rarp, "rarp"),
        (ProtocolFeatures.ReplyAck, "reply_ack"),
        (ProtocolFeatures.NetMtu, "net_mtu"),
        (ProtocolFeatures.ResetDevice, "reset_device"),
        (ProtocolFeatures.ConfigureMemorySlots, "configure_mem_slots"),
        (ProtocolFeatures.Status, "status"),
        (ProtocolFeatures.VhostPci, "vhost_pci"),
        (ProtocolFeatures.DriverState, "driver_state"),
    ];

    /// <summary>Names of the bits that are set, lowest first; unknown ones as numbers.</summary>
    internal static string Format(ulong features) => Format(features, Names);

    /// <summary>The same for protocol features.</summary>
    internal static string FormatProtocol(ulong features) => Format(features, ProtocolNames);

    private static string Format(ulong features, (ulong Bit, string Name)[] names)
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

            text.Append(Name(bit, names));
        }

        return text.ToString();
    }

    private static string Name(int bit, (ulong Bit, string Name)[] names)
    {
        foreach ((ulong mask, string name) in names)
        {
            if (mask == 1UL << bit)
            {
                return name;
            }
        }

        return $"bit{bit}";
    }
}
