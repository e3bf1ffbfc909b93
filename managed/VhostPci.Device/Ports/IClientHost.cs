// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>The host's half of an origin's virtio-net with <c>vhost-pci-client=</c>.</summary>
public interface IClientHost
{
    /// <summary>Sets the link of the virtio-net device, which starts or stops its rings.</summary>
    void SetLink(bool up);

    /// <summary>Drops the chardev's connection; happens later, from the main loop.</summary>
    void Disconnect();
}
