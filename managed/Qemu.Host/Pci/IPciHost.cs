// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Pci;

/// <summary>What QEMU does for one device. Tests have one of their own, and no QEMU.</summary>
/// <remarks>The functions are those of <c>struct dotnet_pci_host</c> in <c>interop/dotnet_pci_abi.h</c>.</remarks>
public interface IPciHost
{
    /// <inheritdoc cref="PciDevice.EnabledVectors"/>
    int EnabledVectors { get; }

    /// <inheritdoc cref="PciDevice.Now"/>
    long Now { get; }

    /// <inheritdoc cref="PciDevice.SetLine"/>
    void SetLine(bool high);

    /// <inheritdoc cref="PciDevice.SendMessage"/>
    bool SendMessage(int vector);

    /// <inheritdoc cref="PciDevice.TryReadMemory"/>
    bool TryReadMemory(ulong address, Span<byte> destination);

    /// <inheritdoc cref="PciDevice.TryWriteMemory"/>
    bool TryWriteMemory(ulong address, ReadOnlySpan<byte> source);

    /// <summary>Has <see cref="VirtualTimer.Fire"/> called when <see cref="Now"/> is the deadline; negative: never.</summary>
    void ArmTimer(int timer, long deadline);
}
