// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>The host's half of one vhost-pci-server: its bridge.</summary>
public interface IServerHost
{
    /// <summary>Hot-plugs a vhost-pci-net; the host attaches to <paramref name="device"/> before this returns.</summary>
    /// <param name="device">Number of the library's device object.</param>
    /// <param name="bus">Name of a bus of the user's, or null for the server's own.</param>
    /// <param name="slot">PCI device number on that bus.</param>
    /// <param name="id">QEMU device id.</param>
    /// <param name="error">On failure, one line for the user.</param>
    bool TryPlug(ulong device, string? bus, int slot, string id, out string error);

    /// <summary>The 64-bit prefetchable window of a bus as the guest's firmware programmed it.</summary>
    /// <param name="bus">Name of a bus of the user's, or null for the server's own.</param>
    BridgeWindow GetWindow(string? bus);
}

/// <summary>A bridge's prefetchable window; not programmed by the firmware while <paramref name="Limit"/> is below <paramref name="Base"/> or, as after power-on, that is 0.</summary>
/// <param name="Base">First byte, guest-physical.</param>
/// <param name="Limit">Last byte, guest-physical.</param>
/// <param name="Bus">Number of the bus; 0 when nobody has given it one.</param>
public readonly record struct BridgeWindow(ulong Base, ulong Limit, uint Bus = 0)
{
    /// <summary>Whether the firmware was there and gave no window.</summary>
    public bool IsDenied => Bus != 0 && !IsProgrammed;

    /// <summary>Whether the firmware has run.</summary>
    public bool IsProgrammed => Base != 0 && Limit > Base;

    /// <summary>Size in bytes; 0 when not programmed.</summary>
    public ulong Size => IsProgrammed ? Limit - Base + 1 : 0;
}
