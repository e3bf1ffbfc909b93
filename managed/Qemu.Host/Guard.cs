// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;

namespace Qemu.Host;

/// <summary>Keeps exceptions inside: one that crosses into C ends the VM.</summary>
/// <remarks>
/// Every entry that QEMU calls is one of these. What went wrong is logged with the entry's name, a few times an hour, since a guest may be able
/// to repeat it. A static lambda and its arguments as a tuple allocate nothing (the lambda once, at the first call):
/// <code>
/// [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
/// private static void SetLink(ulong number, uint up) =&gt; Guard.Run((number, up), static a =&gt; Find(a.number)?.SetLink(a.up != 0));
/// </code>
/// </remarks>
public static class Guard
{
    /// <summary>An entry without a result.</summary>
    /// <param name="arguments">What the entry was called with.</param>
    /// <param name="body">Static, so that it allocates nothing.</param>
    /// <param name="entry">Its name, for the log.</param>
    public static void Run<T>(T arguments, Action<T> body, [CallerMemberName] string entry = "")
    {
        try
        {
            body(arguments);
        }
        catch (Exception exception)
        {
            QemuHost.FaultsOrNull?.Write(entry, exception);
        }
    }

    /// <summary>An entry with a result.</summary>
    /// <param name="arguments">What the entry was called with.</param>
    /// <param name="failed">The result after an exception.</param>
    /// <param name="body">Static, so that it allocates nothing.</param>
    /// <param name="entry">Its name, for the log.</param>
    public static TResult Run<T, TResult>(T arguments, TResult failed, Func<T, TResult> body, [CallerMemberName] string entry = "")
    {
        try
        {
            return body(arguments);
        }
        catch (Exception exception)
        {
            QemuHost.FaultsOrNull?.Write(entry, exception);
            return failed;
        }
    }

    /// <summary>An entry whose failure has a text for the user; after an exception that is its message, and the result <see cref="Errno.IO"/>.</summary>
    /// <param name="arguments">What the entry was called with.</param>
    /// <param name="error">Where the text goes; the body gets it, too.</param>
    /// <param name="body">Static, so that it allocates nothing.</param>
    /// <param name="entry">Its name, for the log.</param>
    public static int Run<T>(T arguments, ErrorText error, Func<T, ErrorText, int> body, [CallerMemberName] string entry = "")
    {
        try
        {
            return body(arguments, error);
        }
        catch (Exception exception)
        {
            QemuHost.FaultsOrNull?.Write(entry, exception);
            return error.Refuse(Errno.IO, exception.Message);
        }
    }
}
