// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;

namespace VhostPci.Device.Server;

/// <summary>What each user's processes have had of a server's budgets.</summary>
/// <remarks>
/// Whoever can become many users must not make this grow, nor take the place of a user who may connect: those of <c>allow-uid=</c>
/// have their accounts from the start and all others share one; without it, those that come late do.
/// </remarks>
internal sealed class UserAccounts(TimeProvider time, ServerConfig config, UidFilter uids)
{
    private readonly Dictionary<uint, UserAccount> _accounts = (uids.Uids ?? []).Distinct().ToDictionary(static uid => uid, _ => new UserAccount(time, config));
    private readonly UserAccount _others = new(time, config);
    private readonly bool _closed = uids.Uids is not null;

    internal UserAccount this[uint uid]
    {
        get
        {
            if (_accounts.TryGetValue(uid, out UserAccount? account))
            {
                return account;
            }

            if (_closed || (_accounts.Count >= Budgets.Accounts && !TryForget()))
            {
                return _others;
            }

            account = new UserAccount(time, config);
            _accounts.Add(uid, account);
            return account;
        }
    }

    // Who has all of his budgets again gets the same ones when he comes again.
    private bool TryForget()
    {
        foreach ((uint uid, UserAccount account) in _accounts)
        {
            if (account.IsFull)
            {
                return _accounts.Remove(uid);
            }
        }

        return false;
    }
}

/// <summary>One user's budgets.</summary>
internal sealed class UserAccount(TimeProvider time, ServerConfig config)
{
    /// <summary>Log lines.</summary>
    internal LineBudget Lines { get; } = new(time, Budgets.LogLines, Budgets.LogPeriod);

    /// <summary>Nothing of the budgets is taken.</summary>
    internal bool IsFull => Lines.IsFull && Plugs is not { IsFull: false };

    /// <summary>New devices; null when the user has set no limit.</summary>
    internal RateBudget? Plugs { get; } = config.PlugRate == 0
        ? null
        : new RateBudget(time, Budgets.PlugBurst(config.Connections), TimeSpan.FromMinutes(1) / config.PlugRate);
}
