// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace VhostPci.Device.Server;

/// <summary>How many descriptors servers need; pure.</summary>
public static class DescriptorPlan
{
    /// <summary>A connection with one queue pair: its socket, two eventfds for each of two rings, three files of memory.</summary>
    public const uint PerConnection = 8;

    /// <summary>What the rest of the process has open, generously.</summary>
    public const uint Others = 128;

    /// <summary>Descriptors for this many connections at once.</summary>
    public static ulong CountFor(ulong connections) => Others + (connections * PerConnection);

    /// <summary>Says what the user has to change when the hard limit is below that.</summary>
    public static string Describe(uint connections, ulong needed, ulong limit) => string.Create(
        CultureInfo.InvariantCulture,
        $"connections={connections} may take {needed} file descriptors in this process, but it may have only {limit}: raise the limit (ulimit -Hn, LimitNOFILE=) or lower connections=");
}
