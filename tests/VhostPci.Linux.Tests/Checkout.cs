// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Linux.Tests;

/// <summary>Finds files of the checkout from where the test runs.</summary>
internal static class Checkout
{
    public static string Root { get; } = Find();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "interop", "vhost_pci_abi.h")))
                return folder.FullName;
        }

        string? named = Environment.GetEnvironmentVariable("VHOST_PCI_SOURCE");
        return named ?? throw new InvalidOperationException(
            "the tests run outside the checkout: set VHOST_PCI_SOURCE to its path");
    }
}
