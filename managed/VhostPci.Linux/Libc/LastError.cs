// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace VhostPci.Linux.Libc;

/// <summary>The error of the last libc call of this thread.</summary>
internal static class LastError
{
    internal static int Number => Marshal.GetLastPInvokeError();

    /// <summary>Such as "Cannot allocate memory".</summary>
    internal static string Text => Describe(Number);

    internal static string Describe(int number) => Marshal.GetPInvokeErrorMessage(number);

    /// <summary>For calls that only fail by our own mistake or for lack of resources, and where the caller has no answer to it.</summary>
    internal static IOException AsException(string call)
    {
        int number = Number;
        return new IOException($"{call}: {Describe(number)}", number);
    }
}
