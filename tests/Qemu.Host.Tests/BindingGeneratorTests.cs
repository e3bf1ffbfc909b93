// SPDX-License-Identifier: GPL-2.0-or-later
using System.CodeDom.Compiler;
using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;
using Qemu.Host.Generated;
using Qemu.Host.Generated.Pci;
using VhostPci.Linux.Tests;
using VhostPci.Plugin.Generated;

namespace Qemu.Host.Tests;

/// <summary>
/// The input of ClangSharpPInvokeGenerator and the outside of its output: what can be checked on a machine that cannot have the generator.
/// What is inside the files is checked by <see cref="AbiLayoutTests"/>.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class BindingGeneratorTests
{
    private const string HeaderText = "// SPDX-License-Identifier: GPL-2.0-or-later";

    private static readonly (string Name, string Folder, Type Api)[] All =
    [
        ("dotnet_host_abi", Checkout.PathOf("managed/Qemu.Host/Generated"), typeof(dotnet_api)),
        ("dotnet_pci_abi", Checkout.PathOf("managed/Qemu.Host/Pci/Generated"), typeof(dotnet_pci_api)),
        ("vhost_pci_abi", Checkout.PathOf("managed/VhostPci.Plugin/Generated"), typeof(vhost_pci_api)),
    ];

    /// <summary>For theories: each header with the options that are its own.</summary>
    public static TheoryData<string, string, string, string> Headers => new()
    {
        { "dotnet_host_abi", "Qemu.Host.Generated", "DotnetHostAbi", "dotnet" },
        { "dotnet_pci_abi", "Qemu.Host.Generated.Pci", "DotnetPciAbi", "dotnet" },
        { "vhost_pci_abi", "VhostPci.Plugin.Generated", "VhostPciAbi", "vhostpci" },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public void TheGeneratorIsAskedForWhatIsInGit(string name, string @namespace, string methods, string library)
    {
        string[] guards = name == "dotnet_host_abi" ? ["DOTNET_HOST_ABI_H", "dotnet_get_api_fn"] : [$"{name.ToUpperInvariant()}_H"];
        var expected = new Dictionary<string, string[]>
        {
            ["--config"] = ["codegen=latest", "types=unix", "file=multi"],
            // generated-code=none: the attribute would be the assembly's, and analyzers leave out what is generated, the hand-written part as well.
            ["--generate"] = ["helper-types", "generated-code=none", "macro-bindings", "funcs-with-body=false"],
            // NativeAnnotationAttribute is a helper type that no binding of ours uses.
            ["--exclude"] = [.. guards, "NativeAnnotationAttribute"],
            ["--language"] = ["c"],
            ["--std"] = ["gnu11"],
            ["--file"] = [$"{name}.h"],
            // Not what it includes: that has bindings of its own.
            ["--traverse"] = [$"{name}.h"],
            ["--namespace"] = [@namespace],
            ["--method-class-name"] = [methods],
            ["--library-path"] = [library],
            ["--header-file"] = ["header.txt"],
        };

        Dictionary<string, string[]> arguments = Arguments(name);
        Assert.Equal(expected.Keys.Order(), arguments.Keys.Order());
        Assert.All(expected, option => Assert.Equal(option.Value, arguments[option.Key]));
    }

    [Fact]
    public void EveryHeaderButTheGuestsHasBindings() => Assert.Equal(
        Directory.GetFiles(Checkout.PathOf("interop"), "*.h").Select(Path.GetFileNameWithoutExtension).Where(static n => n != "vhost_pci_guest_abi").Order(),
        All.Select(static a => a.Name).Order());

    // The generator ends the text with a newline of its own: one in the file would be a blank line in each binding.
    [Fact]
    public void HeaderTextHasNoFinalNewline() =>
        Assert.Equal(HeaderText, File.ReadAllText(Checkout.PathOf("interop/header.txt")));

    [Fact]
    public void EachFileBeginsAndEndsAsTheGeneratorWritesIt()
    {
        foreach ((string file, string @namespace) in All.SelectMany(static a => Directory.GetFiles(a.Folder).Select(file => (file, a.Api.Namespace!))))
        {
            byte[] bytes = File.ReadAllBytes(file);
            string text = Encoding.UTF8.GetString(bytes);
            string[] lines = text.Split('\n');
            int names = Array.IndexOf(lines, $"namespace {@namespace}");
            string[] usings = lines[1..names];

            Assert.True(bytes.AsSpan().StartsWith("// SPDX"u8), $"{file} begins with something else, such as a byte order mark");
            Assert.DoesNotContain('\r', text);
            Assert.Equal(HeaderText, lines[0]);
            // Sorted using directives and one blank line, or nothing at all.
            Assert.Equal(usings.Length == 0 ? [] : [.. usings[..^1].OrderBy(static u => u.TrimEnd(';'), StringComparer.Ordinal), ""], usings);
            Assert.All(usings.SkipLast(1), static u => Assert.Matches(@"^using [\w.]+;$", u));
            Assert.Equal("{", lines[names + 1]);
            Assert.Equal(["}", ""], lines[^2..]);
            Assert.DoesNotContain(lines, static l => l.TrimEnd() != l);
        }
    }

    [Fact]
    public void ThereIsOneFilePerType()
    {
        foreach ((_, string folder, Type api) in All)
        {
            string[] types = [.. api.Assembly.GetTypes().Where(t => t.Namespace == api.Namespace && !t.IsNested)
                .Select(static t => $"{t.Name}.cs").Order(StringComparer.Ordinal)];

            Assert.Contains($"{api.Name}.cs", types);
            Assert.Equal(types, Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
    }

    // It would switch rules off for the hand-written code of the assembly.
    [Fact]
    public void TheAssembliesAreNotMarkedAsGenerated() =>
        Assert.All(All, static a => Assert.Empty(a.Api.Assembly.GetCustomAttributes(typeof(GeneratedCodeAttribute), inherit: false)));

    [Fact]
    public void TheToolManifestNamesTheGenerator()
    {
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(Checkout.PathOf(".config/dotnet-tools.json")));
        JsonElement tool = manifest.RootElement.GetProperty("tools").GetProperty("clangsharppinvokegenerator");

        // generated-code= is not known before.
        Assert.True(Version.Parse(tool.GetProperty("version").GetString()!) >= new Version(21, 1, 8, 4));
        Assert.Equal(["ClangSharpPInvokeGenerator"], tool.GetProperty("commands").EnumerateArray().Select(static c => c.GetString()));
    }

    [Fact]
    public void TheCommandSaysWhatIsMissing()
    {
        (int status, string text) = Run("dotnet", "exit 1");
        Assert.Equal(3, status);
        Assert.Contains("cannot be had from the package", text, StringComparison.Ordinal);
        Assert.Contains("It must be 21.1.8.4 or newer", text, StringComparison.Ordinal);
        Assert.Contains("stay as they are", text, StringComparison.Ordinal);
    }

    // A generator's exit status is the number of its warnings.
    [Theory]
    [InlineData("true", 0, "The bindings of vhost_pci_abi.h are up to date.")]
    [InlineData("[ -e $out/vhost_pci_api.cs ] && echo >>$out/vhost_pci_api.cs", 1, "differ from what ClangSharp makes of vhost_pci_abi.h")]
    [InlineData("touch $out/GeneratedCode.cs", 1, "Only in")]
    [InlineData("rm $out/vhost_pci_api.cs", 1, "has written no bindings for vhost_pci_abi.h")]
    [InlineData("rm $out/dotnet_api.cs", 1, "has written no bindings for dotnet_host_abi.h")]
    [InlineData("[ -e $out/dotnet_api.cs ] && echo >>$out/dotnet_api.cs", 1, "differ from what ClangSharp makes of dotnet_host_abi.h")]
    public void TheCommandComparesWhatTheGeneratorWrites(string change, int expected, string answer)
    {
        (int status, string text) = Run(
            "ClangSharpPInvokeGenerator",
            $"""
            [ "$2" = --output ] && out=$3 || exit 99
            case $1 in {string.Join(" ", All.Select(static a => $"@{a.Name}.rsp) cp '{a.Folder}'/*.cs $out ;;"))} *) exit 99 ;; esac
            {change}; exit 7
            """);
        Assert.Equal(expected, status);
        Assert.Contains(answer, text, StringComparison.Ordinal);
    }

    /// <summary>Runs <c>generate-bindings --check</c> with a program of ours found first.</summary>
    private static (int Status, string Text) Run(string program, string script)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vhost-pci-bindings-");
        try
        {
            string path = Path.Combine(folder.FullName, program);
            File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            var start = new ProcessStartInfo(Checkout.PathOf("interop/generate-bindings"), "--check")
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["PATH"] = $"{folder.FullName}:/usr/bin:/bin";
            start.Environment.Remove("VHOST_PCI_CLANGSHARP_VERSION");
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output.GetAwaiter().GetResult() + error);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The arguments of a header's <c>.rsp</c>: what follows each option.</summary>
    private static Dictionary<string, string[]> Arguments(string name)
    {
        string[] words = File.ReadAllLines(Checkout.PathOf($"interop/{name}.rsp"));
        int[] options = [.. Enumerable.Range(0, words.Length).Where(i => words[i].StartsWith('-'))];
        return options.Zip([.. options.Skip(1), words.Length], (from, to) => (words[from], words[(from + 1)..to]))
            .ToDictionary(static o => o.Item1, static o => o.Item2);
    }
}
