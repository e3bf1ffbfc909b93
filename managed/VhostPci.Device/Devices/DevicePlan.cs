// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Devices;

/// <summary>What the host must build for a device.</summary>
/// <param name="Window">Host address of BAR 2.</param>
/// <param name="WindowSize">Bytes of it.</param>
/// <param name="Rings">Origin rings, so local virtqueues.</param>
/// <param name="ConfigSize">Bytes of device configuration.</param>
public readonly record struct DevicePlan(nint Window, ulong WindowSize, int Rings, int ConfigSize);
