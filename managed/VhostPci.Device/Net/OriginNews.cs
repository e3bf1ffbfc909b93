// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Net;

/// <summary>Fields of the configuration that an origin can change at any time.</summary>
internal struct OriginNews
{
    internal MacAddress Mac { get; set; }

    internal MacAddress OriginMac { get; set; }

    internal ushort Mtu { get; set; }

    internal uint Announce { get; set; }
}
