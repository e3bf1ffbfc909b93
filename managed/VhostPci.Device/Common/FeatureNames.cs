// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using System.Text;
using VhostPci.Protocol;

namespace VhostPci.Device.Common;

/// <summary>Feature bits as people read them.</summary>
internal static class FeatureNames
{
    private static readonly (ulong Bit, string Name)[] Names =
    [
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
    /// <param name="features">The bits.</param>
    /// <param name="ofClass">Names that a device class has given.</param>
    internal static string Format(ulong features, IReadOnlyList<(ulong Bit, string Name)> ofClass) => Format(features, Names, ofClass);

    /// <summary>The same for protocol features.</summary>
    internal static string FormatProtocol(ulong features) => Format(features, ProtocolNames, []);

    private static string Format(ulong features, (ulong Bit, string Name)[] names, IReadOnlyList<(ulong Bit, string Name)> others)
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

            text.Append(names.Concat(others).FirstOrDefault(known => known.Bit == 1UL << bit).Name ?? $"bit{bit}");
        }

        return text.ToString();
    }
}
