// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated
{
    [NativeTypeName("unsigned int")]
    public enum dotnet_log_level : uint
    {
        DOTNET_LOG_DEBUG = 0,
        DOTNET_LOG_INFO = 1,
        DOTNET_LOG_WARNING = 2,
        DOTNET_LOG_ERROR = 3,
    }
}
