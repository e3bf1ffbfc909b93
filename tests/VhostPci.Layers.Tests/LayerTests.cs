// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace VhostPci.Layers.Tests;

/// <summary>Who may know whom. A circle between projects the compiler refuses; between namespaces this does.</summary>
public sealed class LayerTests
{
    private const string Root = "VhostPci.Device";

    // From the bottom up: each may use those before it. An order leaves no room for a circle.
    private static readonly string[] Order =
    [
        "Common", "Ports", "Limits", "Wire", "Classes", "Origins", "Devices", "Net", "Clients", "Server", "Reporting", "",
    ];

    private static readonly Dictionary<string, string[]> Projects = new()
    {
        ["VhostPci.Protocol"] = [],
        ["VhostPci.Device"] = ["VhostPci.Protocol"],
        ["VhostPci.Linux"] = ["VhostPci.Device"],
        ["Qemu.Host"] = [],
        ["VhostPci.Plugin"] = ["VhostPci.Linux", "Qemu.Host"],
        ["Examples.Edu"] = ["Qemu.Host"],
    };

    [Fact]
    public void Namespaces_of_the_core_use_only_what_is_below_them()
    {
        SourceFile[] files = [.. SourceFile.All.Where(file => file.Project == Root && file.Namespace.Length > 0)];
        Assert.NotEmpty(files);
        Dictionary<string, HashSet<string>> types = files.GroupBy(Layer).ToDictionary(group => group.Key, group => group.SelectMany(file => file.Types).ToHashSet());
        Assert.All(types.Keys, layer => Assert.True(Order.Contains(layer), $"{Root}.{layer} has no place in the order of layers"));

        List<string> upward = [];
        foreach (SourceFile file in files)
        {
            foreach (string other in types.Keys.Where(other => Array.IndexOf(Order, other) > Array.IndexOf(Order, Layer(file)) && Uses(file, other, types[other])))
            {
                upward.Add($"{file} ({Layer(file)}) uses {Root}{(other.Length > 0 ? "." : "")}{other}");
            }
        }

        Nothing.In(upward);
    }

    [Fact]
    public void Projects_refer_only_to_those_below_them()
    {
        string[] projects = [.. Tree.Files("managed").Where(file => file.EndsWith(".csproj", StringComparison.Ordinal))];
        Assert.NotEmpty(projects);
        Assert.All(projects, path =>
        {
            string name = Path.GetFileNameWithoutExtension(path);
            Assert.True(Projects.TryGetValue(name, out string[]? allowed), $"{name} has no place among the projects");
            string[] wrong = [.. Regex.Matches(File.ReadAllText(path), "<ProjectReference Include=\"[^\"]*?([^/\"]+)\\.csproj").Select(match => match.Groups[1].Value).Except(allowed!)];
            Nothing.In(wrong);
        });
    }

    /// <summary>Of the core the system's side knows what it implements, and nothing of what is done with it.</summary>
    [Fact]
    public void The_kernel_is_spoken_to_behind_ports()
    {
        SourceFile[] files = [.. SourceFile.All.Where(file => file.Project == "VhostPci.Linux")];
        Assert.Contains(files, file => file.Code.Contains($"using {Root}.Ports;", StringComparison.Ordinal));
        string[] beyond =
        [
            .. files.SelectMany(file => Regex.Matches(file.Code, @"\bDevice\b(?!\.Ports\b).*").Select(match => $"{file} uses {match.Value}")),
        ];
        Nothing.In(beyond);
    }

    private static string Layer(SourceFile file) => file.Namespace == Root ? "" : file.Namespace[(Root.Length + 1)..];

    // By a using, a name that begins with the namespace or, of the outermost, whose types are in sight everywhere, a type.
    private static bool Uses(SourceFile file, string layer, HashSet<string> types)
    {
        string names = string.Join('|', types);
        return layer.Length == 0
            ? Regex.IsMatch(file.Code, $@"(?<!\.)\b({names})\b")
            : Regex.IsMatch(file.Code, $@"\busing [^;(]*\b{Regex.Escape(Root)}\.{layer}\b(?!\.\w+\.)") || Regex.IsMatch(file.Code, $@"(?<![\w.])(?:(?:VhostPci\.)?Device\.)?{layer}\.({names})\b");
    }
}
