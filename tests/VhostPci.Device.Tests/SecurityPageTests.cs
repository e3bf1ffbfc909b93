// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace VhostPci.Device.Tests;

/// <summary>What <c>docs/reference/security.md</c> gives as evidence exists.</summary>
public sealed partial class SecurityPageTests
{
    private static readonly string Page = SpecificationTests.Find("docs/reference/security.md");

    [Fact]
    public void The_tests_that_it_names_are_there()
    {
        string root = Path.GetFullPath("../..", Path.GetDirectoryName(Page)!);
        string[] named = [.. TestPath().Matches(File.ReadAllText(Page)).Select(static m => m.Groups["path"].Value).Distinct()];

        Assert.True(named.Length > 20);
        Assert.All(named, path => Assert.True(Path.Exists(Path.Combine(root, path)), path));
    }

    [Fact]
    public void The_pages_that_it_links_are_there()
    {
        string folder = Path.GetDirectoryName(Page)!;
        Assert.All(LinkTarget().Matches(File.ReadAllText(Page)), link => Assert.True(File.Exists(Path.Combine(folder, link.Groups["path"].Value)), link.Value));
    }

    [GeneratedRegex("`(?<path>tests/[^`]+)`")]
    private static partial Regex TestPath();

    [GeneratedRegex(@"\]\((?<path>[^)#]+)")]
    private static partial Regex LinkTarget();
}
