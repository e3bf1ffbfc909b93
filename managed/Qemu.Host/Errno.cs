// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host;

/// <summary>Results of entries that have failed: Linux's numbers, negative.</summary>
public static class Errno
{
    /// <summary>There is nothing with this number or name.</summary>
    public const int NoEntry = -2;

    /// <summary>It went wrong.</summary>
    public const int IO = -5;

    /// <summary>There is no memory, or another limit is reached.</summary>
    public const int NoMemory = -12;

    /// <summary>The user, or the caller, has asked for what is not possible.</summary>
    public const int InvalidArgument = -22;

    /// <summary>The two sides do not fit.</summary>
    public const int Protocol = -71;

    /// <summary>Nobody is there to do it.</summary>
    public const int NotConnected = -107;
}
