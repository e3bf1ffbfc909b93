// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>Says when a connection ends that has to: at once or, while one of its requests is acted on, after that.</summary>
/// <param name="drop">Ends it and tells the user why.</param>
/// <param name="close">Ends it.</param>
internal sealed class DropGuard(Action<string> drop, Action close)
{
    // Empty: there is a reason, and the user knows it.
    private string? _failure;

    /// <summary>A request of the peer's is being acted on.</summary>
    internal bool IsBusy { get; private set; }

    /// <summary>Something that has failed ends the connection as soon as nobody acts for it.</summary>
    internal bool HasFailed => _failure is not null;

    /// <summary>Does something that may throw by a mistake of ours.</summary>
    /// <remarks>The peer may repeat what has led to it, so it has to go; the host hears of the exception as well.</remarks>
    internal void Protect(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception)
        {
            drop($"internal error: {exception.Message}");
            throw;
        }
    }

    /// <summary>Acts for the peer; what fails meanwhile in other ways is a refusal of it, too.</summary>
    internal Verdict Act(Func<Verdict> action)
    {
        IsBusy = true;
        try
        {
            Verdict verdict = action();
            return verdict.IsOk && _failure is { Length: > 0 } failure ? Verdict.Refuse(failure) : verdict;
        }
        finally
        {
            IsBusy = false;
        }
    }

    /// <summary>Ends the connection if what was acted on was refused or has failed.</summary>
    internal void Settle(Verdict verdict)
    {
        if (!verdict.IsOk)
        {
            drop(verdict.Reason);
        }
        else if (HasFailed)
        {
            close();
        }
    }

    /// <summary>Something has failed.</summary>
    internal void Fail(string reason)
    {
        if (IsBusy)
        {
            _failure ??= reason;
        }
        else
        {
            drop(reason);
        }
    }

    /// <summary>Something has ended of which the user knows.</summary>
    internal void End()
    {
        if (IsBusy)
        {
            _failure ??= string.Empty;
        }
        else
        {
            close();
        }
    }
}
