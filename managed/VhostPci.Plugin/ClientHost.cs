// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Plugin;

/// <summary>A virtio-net with <c>vhost-pci-client=</c> of the shim's.</summary>
// SAFETY: for the whole class: the client is the shim's and there until client_destroy returns, after which nobody has this object any more.
internal sealed unsafe class ClientHost(HostAdapter host, void* client) : IClientHost
{
    public void SetLink(bool up) => host.Table.client_link(client, up ? 1U : 0);

    public ulong DriverFeatures => host.Table.client_driver_features(client);

    public void Offer(ulong features) => host.Table.client_offer(client, features);

    public void AskForReset() => host.Table.client_ask_for_reset(client);

    public void Disconnect() => host.Table.client_disconnect(client);
}
