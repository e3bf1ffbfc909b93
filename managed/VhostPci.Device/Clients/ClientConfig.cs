// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>What a virtio-net device with <c>vhost-pci-client=</c> is like.</summary>
/// <param name="Id">The device's id, for the log.</param>
/// <param name="Info">What the server is told about it.</param>
public sealed record ClientConfig(string Id, DeviceInfo Info);
