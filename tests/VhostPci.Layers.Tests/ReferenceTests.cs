// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using VhostPci.Linux.Tests;

namespace VhostPci.Layers.Tests;

/// <summary>What the texts of the checkout point to is in the checkout.</summary>
public sealed class ReferenceTests
{
    private static readonly string[] NoText = [".png", ".gz", ".bin"];

    [Fact]
    public void Decisions_that_are_named_exist_and_nothing_else_is_cited()
    {
        HashSet<string> decisions = [.. Directory.EnumerateFiles(Checkout.PathOf("docs/adr"), "0*.md").Select(file => Path.GetFileNameWithoutExtension(file))];
        HashSet<string> numbers = [.. decisions.Select(name => name[..4])];
        List<string> wrong = [];
        foreach (string file in Tree.Files().Where(IsText))
        {
            string text = File.ReadAllText(file);
            wrong.AddRange(Regex.Matches(text, @"\b(?:ADRs?|decision) (\d{4})\b").Where(match => !numbers.Contains(match.Groups[1].Value))
                .Concat(Regex.Matches(text, @"\b(\d{4}-[a-z][\w-]*)\.md\b").Where(match => !decisions.Contains(match.Groups[1].Value)))
                .Concat(Regex.Matches(text, @"\b(?:[Dd]esign D|[Ii]ssue #?)\d+"))
                .Select(match => $"{Path.GetRelativePath(Checkout.Root, file)}: {match.Value}"));
        }

        Nothing.In(wrong);
    }

    /// <summary>Links between pages, and files that a page names by their path; history may name what is no more.</summary>
    [Fact]
    public void Links_and_paths_in_pages_lead_somewhere()
    {
        List<string> dead = [];
        foreach (string page in Tree.Files().Where(file => file.EndsWith(".md", StringComparison.Ordinal) && !file.EndsWith("/CHANGELOG.md", StringComparison.Ordinal)))
        {
            string text = File.ReadAllText(page);
            dead.AddRange(Regex.Matches(text, @"\]\(([^)#\s:]+)(?:#[^)]*)?\)").Select(match => Path.Combine(Path.GetDirectoryName(page)!, match.Groups[1].Value))
                .Concat(Regex.Matches(text, @"`((?:cmake|docs|guest|interop|managed|native|qemu-patches|tests|tools)/[\w./-]+)`").Select(match => Checkout.PathOf(match.Groups[1].Value)))
                .Where(path => !Path.Exists(path))
                .Select(path => $"{Path.GetRelativePath(Checkout.Root, page)}: {path}"));
        }

        Nothing.In(dead);
    }

    private static bool IsText(string file) =>
        !NoText.Contains(Path.GetExtension(file)) && !file.Contains("/corpus/", StringComparison.Ordinal) && !file.EndsWith("/ReferenceTests.cs", StringComparison.Ordinal);
}
