// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Origins;

/// <summary>Result of requesting a device.</summary>
internal enum PlugResult
{
    /// <summary>There is one.</summary>
    Plugged,

    /// <summary>There is no room, but devices are on their way out; or its user had too many new devices just now.</summary>
    Wait,

    /// <summary>There is no room and none will come.</summary>
    Refused,
}
