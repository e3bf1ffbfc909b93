// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace VhostPci.Layers.Tests;

/// <summary>Files that one can read at one go.</summary>
public sealed class SizeTests
{
    private const int Most = 300;
    private const int Median = 80;

    [Fact]
    public void No_file_is_long_and_half_of_them_are_short()
    {
        int[] sizes = [.. SourceFile.All.Select(file => file.Lines.Length).Order()];
        int median = sizes[sizes.Length / 2];
        TestContext.Current.TestOutputHelper?.WriteLine($"{sizes.Length} files of C#, {sizes.Sum()} lines, median {median}, longest {sizes[^1]}");
        string[] tooLong = [.. SourceFile.All.Where(file => file.Lines.Length > Most).Select(file => $"{file}: {file.Lines.Length} lines")];
        Nothing.In(tooLong);
        Assert.InRange(median, 1, Median);
    }

    /// <summary>Parts are for generators, or the file says "// Partial: " and why.</summary>
    [Fact]
    public void No_class_hides_its_size_in_parts()
    {
        SourceFile[] inParts =
        [
            .. SourceFile.All.Where(file =>
                Regex.IsMatch(file.Code, @"\bpartial\s+(class|struct|interface|record)\b") &&
                !Regex.IsMatch(file.Code, @"\[(LoggerMessage|LibraryImport|JsonSerializable|GeneratedRegex)\b") &&
                !file.Lines.Any(line => line.TrimStart().StartsWith("// Partial: ", StringComparison.Ordinal))),
        ];
        Nothing.In(inParts);
    }
}
