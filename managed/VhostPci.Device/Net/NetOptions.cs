// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Protocol;

namespace VhostPci.Device.Net;

/// <summary>What the user has said about a static vhost-pci-net.</summary>
/// <param name="Mac">Address of the guest's interface; zero for one made from the device's id.</param>
public sealed record NetOptions(MacAddress Mac) : ClassOptions;
