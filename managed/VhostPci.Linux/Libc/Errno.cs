// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Linux.Libc;

/// <summary>The errno values that are told apart.</summary>
internal static class Errno
{
    internal const int EINTR = 4;
    internal const int EAGAIN = 11;
    internal const int ENOMEM = 12;
    internal const int EFAULT = 14;
    internal const int ENFILE = 23;
    internal const int EMFILE = 24;
    internal const int ENOBUFS = 105;
    internal const int ECONNABORTED = 103;
    internal const int EHWPOISON = 133;

    /// <summary>Of the last libc call of this thread.</summary>
    internal static int Last => Marshal.GetLastPInvokeError();

    /// <summary>Such as "Cannot allocate memory".</summary>
    internal static string Describe(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>For calls that only fail by our own mistake or for lack of resources, and where the caller has no answer to it.</summary>
    internal static IOException Failure(string call)
    {
        int errno = Last;
        return new IOException($"{call}: {Describe(errno)}", errno);
    }
}
