// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Protocol-feature bits (vhost-user GET/SET_PROTOCOL_FEATURES), as masks.</summary>
public static class ProtocolFeatures
{
    /// <summary>Bit 0: GET_QUEUE_NUM exists.</summary>
    public const ulong MultiQueue = 1UL << 0;

    /// <summary>Bit 2: SEND_RARP exists.</summary>
    public const ulong Rarp = 1UL << 2;

    /// <summary>Bit 3: need_reply is honoured.</summary>
    public const ulong ReplyAck = 1UL << 3;

    /// <summary>Bit 4: NET_SET_MTU exists.</summary>
    public const ulong NetMtu = 1UL << 4;

    /// <summary>Bit 13: RESET_DEVICE exists.</summary>
    public const ulong ResetDevice = 1UL << 13;

    /// <summary>Bit 15: memory regions come and go one by one.</summary>
    public const ulong ConfigureMemorySlots = 1UL << 15;

    /// <summary>Bit 16: SET_STATUS and GET_STATUS exist.</summary>
    public const ulong Status = 1UL << 16;

    /// <summary>Bit 56: the vhost-pci extension, request numbers from 0x56500001.</summary>
    public const ulong VhostPci = 1UL << 56;

    /// <summary>Bit 57: VHOST_PCI_SET_DRIVER_STATE exists.</summary>
    public const ulong DriverState = 1UL << 57;

    /// <summary>All that the back-end offers.</summary>
    public const ulong Offered = MultiQueue | Rarp | ReplyAck | NetMtu | ResetDevice | ConfigureMemorySlots | Status | VhostPci | DriverState;
}
