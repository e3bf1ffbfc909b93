// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Generated
{
    [NativeTypeName("unsigned int")]
    public enum dotnet_fd_events : uint
    {
        DOTNET_FD_NONE = 0,
        DOTNET_FD_READ = 1,
        DOTNET_FD_WRITE = 2,
    }
}
