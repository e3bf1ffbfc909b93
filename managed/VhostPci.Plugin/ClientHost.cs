// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Plugin;

/// <summary>A virtio-net with <c>vhost-pci-client=</c> of the shim's.</summary>
internal sealed unsafe class ClientHost(HostObjects objects, void* client) : IClientHost
{
    public void SetLink(bool up) => objects.Table.client_link(client, up ? 1U : 0);

    public ulong DriverFeatures => objects.Table.client_driver_features(client);

    public void Offer(ulong features) => objects.Table.client_offer(client, features);

    public void AskForReset() => objects.Table.client_ask_for_reset(client);

    public void Disconnect() => objects.Table.client_disconnect(client);
}
