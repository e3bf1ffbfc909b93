// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Devices;

/// <summary>A place for one device.</summary>
/// <param name="Index">Of its bus among the server's.</param>
/// <param name="Bus">Name of the bus; null for the server's own.</param>
/// <param name="Device">PCI device number on it.</param>
internal readonly record struct SlotPlace(int Index, string? Bus, int Device);
