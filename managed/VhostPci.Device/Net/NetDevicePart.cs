// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Classes;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Net;

/// <summary>vhost-pci-net's part of the configuration: addresses and MTU, and how often the origin has announced itself.</summary>
internal sealed class NetDevicePart : DevicePart
{
    private readonly IClassDevice _device;
    private readonly AddressBook _addresses;
    private bool _isAddressFinal;
    private ushort _mtu;
    private uint _announcements;

    internal NetDevicePart(IClassDevice device, AddressBook addresses)
    {
        _device = device;
        _addresses = addresses;
        _isAddressFinal = device.IsStatic;
        Mac = device.Options is NetOptions { Mac.IsZero: false } options ? options.Mac : addresses.Choose(this, StableMac.FromName(device.Named));
    }

    /// <summary>Address of the guest's interface.</summary>
    internal MacAddress Mac { get; private set; }

    /// <summary>Address of the origin that it has or may get back; zero when not known.</summary>
    internal MacAddress OriginMac { get; private set; }

    internal bool IsLeaving => _device.IsLeaving;

    /// <summary>The interface's address is the user's or made from its origin's, or the guest uses it.</summary>
    internal bool KeepsAddress => _isAddressFinal || _device.IsUp;

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

    internal override void Release() => _addresses.Remove(this);

    /// <summary>Takes what is known of the origin; may come before or after the start.</summary>
    internal void Meet(NetOriginPart origin)
    {
        if (!origin.Mac.IsZero)
        {
            OriginMac = origin.Mac;
        }

        // Once: it is the same origin for as long as the device lives, and the guest's interface keeps its address.
        if (!origin.FirstMac.IsZero && !KeepsAddress)
        {
            _isAddressFinal = true;
            Mac = _addresses.Choose(this, origin.FirstMac);
        }

        _mtu = origin.Mtu;
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
