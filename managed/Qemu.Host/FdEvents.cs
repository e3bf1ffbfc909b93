// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host;

/// <summary>What a descriptor is watched for; the values of <c>enum dotnet_fd_events</c>.</summary>
[Flags]
public enum FdEvents : uint
{
    /// <summary>Not watched.</summary>
    None = 0,

    /// <summary>There is something to read, a connection to accept, or the other end is gone.</summary>
    Read = 1,

    /// <summary>There is room to write.</summary>
    Write = 2,
}
