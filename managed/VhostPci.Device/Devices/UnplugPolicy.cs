// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Devices;

/// <summary>When to ask the guest again to let a device go: a guest that still boots hears only a later request.</summary>
internal static class UnplugPolicy
{
    private const uint Longest = 5000;

    /// <summary>Milliseconds to wait after the request number <paramref name="attempt"/>, counted from 1.</summary>
    internal static uint DelayAfter(int attempt) => attempt switch
    {
        1 => 1000,
        2 => 2000,
        3 => 4000,
        _ => Longest,
    };
}
