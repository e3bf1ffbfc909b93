// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Pci;

/// <summary>The user has given a device something that it cannot take; the message becomes QEMU's error.</summary>
public sealed class PciOptionException(string message) : Exception(message);
