// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace VhostPci.Protocol.Tests;

/// <summary><c>docs/reference/protocol.md</c>, read as data.</summary>
internal static partial class ReferencePage
{
    private static readonly string Text = File.ReadAllText(Find());

    /// <summary>The rows of the first table under a heading, header left out.</summary>
    public static IReadOnlyList<string[]> Table(string heading)
    {
        string[] rows = [.. Section(heading).Split('\n').SkipWhile(static l => !l.StartsWith('|')).TakeWhile(static l => l.StartsWith('|'))];
        Assert.True(rows.Length > 2, $"no table under \"{heading}\"");
        return [.. rows.Skip(2).Select(static r => r.Trim('|').Split('|').Select(static c => c.Trim()).ToArray())];
    }

    /// <summary>The text under a heading.</summary>
    public static string Section(string heading)
    {
        int start = Text.IndexOf($"\n## {heading}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"no section \"{heading}\" in protocol.md");
        int end = Text.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        return end < 0 ? Text[start..] : Text[start..end];
    }

    /// <summary>"NAME (bit)" pairs after a phrase, up to the next blank line.</summary>
    public static Dictionary<string, int> Bits(string phrase)
    {
        string text = Section("Feature bits");
        int start = text.IndexOf(phrase, StringComparison.Ordinal);
        Assert.True(start >= 0, $"\"{phrase}\" is not in protocol.md");
        int end = text.IndexOf("\n\n", start, StringComparison.Ordinal);
        return Bit().Matches(end < 0 ? text[start..] : text[start..end])
            .ToDictionary(static m => m.Groups["name"].Value, static m => int.Parse(m.Groups["bit"].Value, null));
    }

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string path = Path.Combine(folder.FullName, "docs", "reference", "protocol.md");
            if (File.Exists(path))
                return path;
        }

        string root = Environment.GetEnvironmentVariable("VHOST_PCI_SOURCE")
            ?? throw new InvalidOperationException("the tests run outside the checkout: set VHOST_PCI_SOURCE to its path");
        return Path.Combine(root, "docs", "reference", "protocol.md");
    }

    [GeneratedRegex(@"(?<name>[A-Z][A-Z0-9_]+)\s+\((?<bit>\d+)\)")]
    private static partial Regex Bit();
}
