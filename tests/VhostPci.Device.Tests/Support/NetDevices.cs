// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;
using VhostPci.Device.Net;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Support;

/// <summary>What is net's of a device that is one.</summary>
internal static class NetDevices
{
    extension(MirrorDevice device)
    {
        internal MacAddress Mac => ((NetDevicePart)device.Part).Mac;

        internal MacAddress OriginMac => ((NetDevicePart)device.Part).OriginMac;
    }
}
