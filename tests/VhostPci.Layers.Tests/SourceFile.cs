// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using VhostPci.Linux.Tests;

namespace VhostPci.Layers.Tests;

/// <summary>A C# file of the product, without what generators wrote.</summary>
internal sealed partial class SourceFile
{
    private SourceFile(string path)
    {
        Path = System.IO.Path.GetRelativePath(Checkout.Root, path);
        Project = Path.Split('/')[1];
        Lines = File.ReadAllLines(path);
        Code = CommentOrString().Replace(string.Join('\n', Lines), match => new string('\n', match.Value.Count(sign => sign == '\n')));
        Namespace = NamespaceLine().Match(Code) is { Success: true } found ? found.Groups[1].Value : "";
        Types = [.. TypeDeclaration().Matches(Code).Select(match => match.Groups[1].Value)];
    }

    /// <summary>All of managed/, read once.</summary>
    public static IReadOnlyList<SourceFile> All { get; } =
    [
        .. Tree.Files("managed").Where(path => path.EndsWith(".cs", StringComparison.Ordinal) && !path.Contains("/Generated/", StringComparison.Ordinal))
            .Select(path => new SourceFile(path)),
    ];

    public string Path { get; }

    /// <summary>The project's folder.</summary>
    public string Project { get; }

    public string[] Lines { get; }

    /// <summary>The text with comments and strings taken out, line for line.</summary>
    public string Code { get; }

    public string Namespace { get; }

    public IReadOnlyList<string> Types { get; }

    public override string ToString() => Path;

    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|@"(?:[^"]|"")*"|"{3,}.*?"{3,}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""", RegexOptions.Singleline)]
    private static partial Regex CommentOrString();

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record(?: struct)?|delegate [\w<>?]+) (\w+)")]
    private static partial Regex TypeDeclaration();
}
