// SPDX-License-Identifier: GPL-2.0-or-later
using System;

namespace Qemu.Host.Generated.Pci
{
    public static partial class DotnetPciAbi
    {
        [NativeTypeName("#define DOTNET_PCI_INTERFACE \"pci\"")]
        public static ReadOnlySpan<byte> DOTNET_PCI_INTERFACE => "pci"u8;

        [NativeTypeName("#define DOTNET_PCI_ABI_VERSION 1u")]
        public const uint DOTNET_PCI_ABI_VERSION = 1U;

        [NativeTypeName("#define DOTNET_PCI_BARS 6")]
        public const int DOTNET_PCI_BARS = 6;

        [NativeTypeName("#define DOTNET_PCI_MSI_MAX 32")]
        public const int DOTNET_PCI_MSI_MAX = 32;

        [NativeTypeName("#define DOTNET_PCI_MSIX_MAX 2048")]
        public const int DOTNET_PCI_MSIX_MAX = 2048;

        [NativeTypeName("#define DOTNET_PCI_TIMERS_MAX 64")]
        public const int DOTNET_PCI_TIMERS_MAX = 64;
    }
}
