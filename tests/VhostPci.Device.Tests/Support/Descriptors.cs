// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Support;

/// <summary>Counts this process's eventfds, memfds and sockets; what the test runner opens besides is of other kinds.</summary>
internal static class Descriptors
{
    internal static int Count()
    {
        int count = 0;
        foreach (string path in Directory.GetFiles("/proc/self/fd"))
        {
            string? target = new FileInfo(path).LinkTarget;
            if (target is not null && (target.StartsWith("socket:", StringComparison.Ordinal)
                || target.Contains("[eventfd]", StringComparison.Ordinal)
                || target.StartsWith("/memfd:vhost-pci-test", StringComparison.Ordinal)))
            {
                count++;
            }
        }

        return count;
    }
}
