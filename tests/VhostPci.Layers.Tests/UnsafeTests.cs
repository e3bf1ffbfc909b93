// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace VhostPci.Layers.Tests;

/// <summary>Unsafe code is in few places, and each says why it is right.</summary>
public sealed class UnsafeTests
{
    private static readonly string[] Places = ["VhostPci.Linux", "Qemu.Host", "VhostPci.Plugin", "Examples.Edu"];

    [Fact]
    public void Unsafe_code_is_only_where_the_kernel_or_QEMU_is_spoken_to()
    {
        SourceFile[] elsewhere = [.. SourceFile.All.Where(file => !Places.Contains(file.Project) && Regex.IsMatch(file.Code, @"\bunsafe\b"))];
        Nothing.In(elsewhere);
    }

    [Fact]
    public void Each_unsafe_block_and_member_says_what_makes_it_safe()
    {
        List<string> silent = [];
        foreach (SourceFile file in SourceFile.All)
        {
            string[] code = file.Code.Split('\n');
            silent.AddRange(Enumerable.Range(0, code.Length).Where(line => Regex.IsMatch(code[line], @"\bunsafe\b") && !Explained(file, line))
                .Select(line => $"{file}:{line + 1}: {file.Lines[line].Trim()}"));
        }

        Nothing.In(silent);
    }

    // On the line, in the comments and attributes above it, or first thing in its block.
    private static bool Explained(SourceFile file, int line)
    {
        int first = line;
        while (first > 0 && Regex.IsMatch(file.Lines[first - 1], @"^\s*(//|\[)"))
        {
            first--;
        }

        return file.Lines[first..Math.Min(line + 3, file.Lines.Length)].Any(text => text.Contains("// SAFETY: ", StringComparison.Ordinal));
    }
}
