// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;

namespace VhostPci.Device.Devices;

/// <summary>What the user gave to <c>-device vhost-pci-net,server=</c>: a device that is there from the start and waits for its origins.</summary>
public sealed record StaticConfig
{
    /// <summary>The user's id; null for none.</summary>
    public string? Id { get; init; }

    /// <summary>Bytes of the window; 0 for the server's slot size.</summary>
    public ulong WindowSize { get; init; }

    /// <summary>The most queue pairs that an origin may have.</summary>
    public int QueuePairs { get; init; } = 1;

    /// <summary>Takes only origins that call their device this; null for any.</summary>
    public string? PeerName { get; init; }

    /// <summary>What only the device class understands; null for nothing.</summary>
    public ClassOptions? Options { get; init; }

    /// <summary>Name of the bus that it is on.</summary>
    public string? Bus { get; init; }

    /// <summary>PCI device number there.</summary>
    public int Slot { get; init; }
}
