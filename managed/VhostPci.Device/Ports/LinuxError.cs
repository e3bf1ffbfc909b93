// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>The errors that are told apart, as the kernel numbers them. A result that is one is negative.</summary>
public static class LinuxError
{
    /// <summary>A signal came in between.</summary>
    public const int EINTR = 4;

    /// <summary>Nothing is there now.</summary>
    public const int EAGAIN = 11;

    /// <summary>No memory.</summary>
    public const int ENOMEM = 12;

    /// <summary>There is no page.</summary>
    public const int EFAULT = 14;

    /// <summary>What was asked for is not possible.</summary>
    public const int EINVAL = 22;

    /// <summary>The system has no more files.</summary>
    public const int ENFILE = 23;

    /// <summary>The process may open no more files.</summary>
    public const int EMFILE = 24;

    /// <summary>The other end is gone.</summary>
    public const int EPIPE = 32;

    /// <summary>The connection ended before it was accepted.</summary>
    public const int ECONNABORTED = 103;

    /// <summary>No room for sockets.</summary>
    public const int ENOBUFS = 105;

    /// <summary>Nobody is connected.</summary>
    public const int ENOTCONN = 107;

    /// <summary>It took too long.</summary>
    public const int ETIMEDOUT = 110;

    /// <summary>The page is broken.</summary>
    public const int EHWPOISON = 133;
}
