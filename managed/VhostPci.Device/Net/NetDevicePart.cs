// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Classes;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Net;

/// <summary>vhost-pci-net's part of the configuration: addresses and MTU, and how often the origin has announced itself.</summary>
/// <param name="mac">The interface's address, until the origin's is known.</param>
/// <param name="isUsers">It is the user's choice, or that of a device that stays, and never changes.</param>
/// <param name="chooseAddress">Makes the interface's address from the origin's.</param>
internal sealed class NetDevicePart(MacAddress mac, bool isUsers, Func<MacAddress, MacAddress> chooseAddress) : DevicePart
{
    private ushort _mtu;
    private uint _announcements;

    /// <summary>Of the guest's interface.</summary>
    internal MacAddress Mac { get; private set; } = mac;

    /// <summary>Of the origin that it has or may get back; zero when not known.</summary>
    internal MacAddress OriginMac { get; private set; }

    /// <summary>The interface's address is the user's or made from its origin's.</summary>
    internal bool HasLastingAddress { get; private set; } = isUsers;

    internal override void Write(Span<byte> part, int groups)
    {
        Mac.Write(part[NetGuestAbi.Config.Mac..]);
        OriginMac.Write(part[NetGuestAbi.Config.OriginMac..]);
        BinaryPrimitives.WriteUInt16LittleEndian(part[NetGuestAbi.Config.Mtu..], _mtu);
        BinaryPrimitives.WriteUInt16LittleEndian(part[NetGuestAbi.Config.QueuePairs..], (ushort)groups);
        BinaryPrimitives.WriteUInt32LittleEndian(part[NetGuestAbi.Config.Announce..], _announcements);
    }

    internal override void ForgetOrigin()
    {
        OriginMac = default;
        _mtu = 0;
    }

    /// <summary>What the origin says about itself; may come before or after the start.</summary>
    /// <param name="firstMac">The address that its device has been given; the interface here has one made from it.</param>
    /// <param name="originMac">The address that it has now.</param>
    /// <param name="mtu">Bytes; 0 when not known.</param>
    /// <param name="isUsed">Whether the guest uses the interface's address.</param>
    internal void Introduce(MacAddress firstMac, MacAddress originMac, ushort mtu, bool isUsed)
    {
        if (!originMac.IsZero)
        {
            OriginMac = originMac;
        }

        // Once: it is the same origin for as long as the device lives, and the guest's interface keeps its address.
        if (!firstMac.IsZero && !HasLastingAddress && !isUsed)
        {
            HasLastingAddress = true;
            Mac = chooseAddress(firstMac);
        }

        _mtu = mtu;
    }

    /// <summary>The origin's driver has given its interface an address.</summary>
    internal void Follow(MacAddress originMac) => OriginMac = originMac;

    /// <summary>The origin wants its address to be known: the driver passes that on to its network.</summary>
    internal void Announce(MacAddress originMac)
    {
        OriginMac = originMac;
        _announcements = unchecked(_announcements + 1);
    }
}
