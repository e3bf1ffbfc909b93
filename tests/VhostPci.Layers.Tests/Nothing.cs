// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Layers.Tests;

/// <summary>An assertion that tells all that it found.</summary>
internal static class Nothing
{
    public static void In(IEnumerable<object> found) => Assert.True(!found.Any(), string.Join("\n  ", found.Prepend("found:")));
}
