// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>The host's half of an origin's virtio-net with <c>vhost-pci-client=</c>.</summary>
public interface IClientHost
{
    /// <summary>Sets the link of the virtio-net device, which starts or stops its rings.</summary>
    void SetLink(bool up);

    /// <summary>Features that the device's driver has acknowledged; 0 when there is none.</summary>
    ulong DriverFeatures { get; }

    /// <summary>Limits what the device offers from its driver's next reset on; bits that are not the client's stay.</summary>
    void Offer(ulong features);

    /// <summary>Tells the driver that it has to reset the device.</summary>
    void AskForReset();

    /// <summary>Drops the chardev's connection; happens later, from the main loop.</summary>
    void Disconnect();
}
