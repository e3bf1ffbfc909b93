// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Net;

/// <summary>The origin's device is a virtio-net: its mirror is vhost-pci-net.</summary>
internal sealed class NetClass : DeviceClass
{
    private readonly AddressBook _addresses = new();

    internal override ushort VirtioId => VirtioDeviceId.Net;

    /// <summary>A queue pair: 2n receives, 2n+1 transmits.</summary>
    internal override int RingsPerGroup => 2;

    internal override ulong Offered => VirtioNetFeatures.Offered;

    internal override RequestTable Requests => NetRequests.Table;

    internal override int PartSize => NetGuestAbi.Config.Size;

    protected override IReadOnlyList<(ulong Bit, string Name)> Names => NetFeatureNames.All;

    internal override string DescribeRing(int ring) => (ring & 1) == 0 ? "origin receives" : "origin sends";

    internal override ulong MakeConsistent(ulong features) => VirtioNetFeatures.Consistent(features);

    internal override Verdict Check(ClassOptions? options)
        => options is NetOptions { Mac.IsMulticast: true } net ? Verdict.Refuse($"mac={net.Mac} is a group address") : Verdict.Ok;

    internal override OriginPart CreateOriginPart() => _addresses.Add(new NetOriginPart(_addresses));

    internal override DevicePart CreateDevicePart(IClassDevice device) => _addresses.Add(new NetDevicePart(device, _addresses));
}
