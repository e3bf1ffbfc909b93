// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>The errors that are told apart, as Linux numbers them. A result that is one is negative.</summary>
public static class LinuxError
{
    /// <summary>ENOENT.</summary>
    public const int NoEntry = 2;

    /// <summary>EINTR.</summary>
    public const int Interrupted = 4;

    /// <summary>EIO.</summary>
    public const int IO = 5;

    /// <summary>EAGAIN.</summary>
    public const int Again = 11;

    /// <summary>ENOMEM.</summary>
    public const int NoMemory = 12;

    /// <summary>EFAULT.</summary>
    public const int Fault = 14;

    /// <summary>EINVAL.</summary>
    public const int InvalidArgument = 22;

    /// <summary>ENFILE.</summary>
    public const int SystemOutOfFiles = 23;

    /// <summary>EMFILE.</summary>
    public const int ProcessOutOfFiles = 24;

    /// <summary>EPIPE.</summary>
    public const int BrokenPipe = 32;

    /// <summary>EPROTO.</summary>
    public const int Protocol = 71;

    /// <summary>ECONNABORTED.</summary>
    public const int ConnectionAborted = 103;

    /// <summary>ENOBUFS.</summary>
    public const int NoBuffers = 105;

    /// <summary>ENOTCONN.</summary>
    public const int NotConnected = 107;

    /// <summary>ETIMEDOUT.</summary>
    public const int TimedOut = 110;

    /// <summary>EHWPOISON.</summary>
    public const int HardwarePoison = 133;
}
