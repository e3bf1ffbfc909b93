// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Server;

/// <summary>What each user's processes have had of a server's budgets.</summary>
/// <remarks>Whoever can become many users must not make this grow: those that come late share one account.</remarks>
internal sealed class UserAccounts(TimeProvider time, ServerConfig config)
{
    private readonly Dictionary<uint, UserAccount> _accounts = [];
    private readonly UserAccount _others = new(time, config);

    internal UserAccount this[uint uid]
    {
        get
        {
            if (_accounts.TryGetValue(uid, out UserAccount? account))
            {
                return account;
            }

            if (_accounts.Count >= Budgets.Accounts)
            {
                return _others;
            }

            account = new UserAccount(time, config);
            _accounts.Add(uid, account);
            return account;
        }
    }
}

/// <summary>One user's budgets.</summary>
internal sealed class UserAccount(TimeProvider time, ServerConfig config)
{
    /// <summary>Log lines.</summary>
    internal LineBudget Lines { get; } = new(time, Budgets.LogLines, Budgets.LogPeriod);

    /// <summary>New devices; null when the user has set no limit.</summary>
    internal RateBudget? Plugs { get; } = config.PlugRate == 0
        ? null
        : new RateBudget(time, Budgets.PlugBurst(config.Connections), TimeSpan.FromMinutes(1) / config.PlugRate);
}
