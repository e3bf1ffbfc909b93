// SPDX-License-Identifier: GPL-2.0-or-later
using System;

namespace Qemu.Host.Generated
{
    public static partial class DotnetHostAbi
    {
        [NativeTypeName("#define DOTNET_HOST_ABI_VERSION 1u")]
        public const uint DOTNET_HOST_ABI_VERSION = 1U;

        [NativeTypeName("#define DOTNET_GET_API_SYMBOL \"dotnet_get_api\"")]
        public static ReadOnlySpan<byte> DOTNET_GET_API_SYMBOL => "dotnet_get_api"u8;

        [NativeTypeName("#define DOTNET_ERROR_SIZE 512")]
        public const int DOTNET_ERROR_SIZE = 512;
    }
}
