// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Qemu.Host.Generated;
using Qemu.Host.Generated.Pci;
using VhostPci.Linux.Tests;
using VhostPci.Plugin.Generated;

namespace Qemu.Host.Tests;

/// <summary>The C# bindings against what the C compiler makes of the ABI headers.</summary>
public sealed partial class AbiLayoutTests
{
    private static readonly (string File, Type Api, Type Constants)[] Headers =
    [
        ("dotnet_host_abi.h", typeof(dotnet_api), typeof(DotnetHostAbi)),
        ("dotnet_pci_abi.h", typeof(dotnet_pci_api), typeof(DotnetPciAbi)),
        ("vhost_pci_abi.h", typeof(vhost_pci_api), typeof(VhostPciAbi)),
    ];

    // As one: a table of one header may point at a struct of another.
    private static readonly string Header = string.Concat(Headers.Select(static h => Comment().Replace(File.ReadAllText(Checkout.PathOf($"interop/{h.File}")), "")));

    private static readonly string Includes = string.Concat(Headers.Select(static h => $"#include \"{h.File}\"\n"));

    private static readonly Type[] Generated = [.. Headers.SelectMany(static h => h.Api.Assembly.GetTypes().Where(t => t.Namespace == h.Api.Namespace && !t.IsNested))];

    [Fact]
    public void EveryStructAndEnumOfTheHeaderIsBoundAndNothingElse()
    {
        string[] inHeader = [.. Definition().Matches(Header).Select(static m => m.Groups["name"].Value).Order(StringComparer.Ordinal)];
        string[] inAssembly = [.. Generated.Where(static t => t.IsValueType).Select(static t => t.Name).Order(StringComparer.Ordinal)];

        Assert.NotEmpty(inHeader);
        Assert.Equal(inHeader, inAssembly);
    }

    [Fact]
    public void SizesAndOffsetsAreThoseOfTheCompiler()
    {
        Type[] structs = [.. Generated.Where(static t => t.IsValueType && !t.IsEnum)];
        var program = new StringBuilder($"#include <stddef.h>\n#include <stdio.h>\n{Includes}int main(void)\n{{\n");
        var managed = new List<string>();
        foreach (Type type in structs)
        {
            program.AppendLine(CultureInfo.InvariantCulture, $"printf(\"{type.Name} %zu\\n\", sizeof(struct {type.Name}));");
            managed.Add(Invariant($"{type.Name} {SizeOf(type)}"));
            foreach (FieldInfo field in Fields(type))
            {
                program.AppendLine(CultureInfo.InvariantCulture,
                    $"printf(\"{type.Name}.{field.Name} %zu %zu\\n\", offsetof(struct {type.Name}, {field.Name}), sizeof(((struct {type.Name} *)0)->{field.Name}));");
                managed.Add(Invariant($"{type.Name}.{field.Name} {Marshal.OffsetOf(type, field.Name)} {SizeOf(field.FieldType)}"));
            }
        }

        program.Append("return 0;\n}\n");

        Assert.Equal(CProgram.Run(program.ToString()).Split('\n', StringSplitOptions.RemoveEmptyEntries), managed);
    }

    [Fact]
    public void EveryMemberOfTheHeaderIsBoundInOrder()
    {
        foreach (Match match in Definition().Matches(Header).Where(static m => m.Groups["kind"].Value == "struct"))
        {
            string[] members = [.. match.Groups["body"].Value.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(static m => MemberName().Match(m)).Select(static m => m.Groups["function"].Success ? m.Groups["function"].Value : m.Groups["data"].Value)];
            Type type = Generated.Single(t => t.Name == match.Groups["name"].Value);

            Assert.Equal(members, Fields(type).Select(static f => f.Name));
        }
    }

    [Fact]
    public void FunctionPointersTakeAndReturnWhatTheHeaderSays()
    {
        int checkedMembers = 0;
        foreach (Match match in Definition().Matches(Header).Where(static m => m.Groups["kind"].Value == "struct"))
        {
            Type type = Generated.Single(t => t.Name == match.Groups["name"].Value);
            foreach (Match function in Function().Matches(match.Groups["body"].Value))
            {
                Type pointer = type.GetField(function.Groups["name"].Value)!.GetModifiedFieldType();
                Assert.True(pointer.IsFunctionPointer && pointer.IsUnmanagedFunctionPointer);
                Assert.Equal([typeof(CallConvCdecl)], pointer.GetFunctionPointerCallingConventions().Select(static c => c.UnderlyingSystemType));
                string[] expected = [.. Parameters(function.Groups["parameters"].Value).Select(static p => TypeOfParameter(p)), TypeName(function.Groups["return"].Value)];
                Assert.Equal(expected, pointer.GetFunctionPointerParameterTypes().Append(pointer.GetFunctionPointerReturnType())
                    .Select(static t => t.UnderlyingSystemType.Name));
                checkedMembers++;
            }
        }

        Assert.True(checkedMembers > 30, $"only {checkedMembers} function pointers found in the header");
    }

    private static string[] Parameters(string list) => list.Trim() == "void" ? [] : list.Split(',');

    [Fact]
    public void EnumValuesAndConstantsAreThoseOfTheCompiler()
    {
        var program = new StringBuilder($"#include <stdio.h>\n{Includes}int main(void)\n{{\n");
        var managed = new List<string>();
        foreach (Type type in Generated.Where(static t => t.IsEnum))
        {
            foreach (string name in Enum.GetNames(type))
            {
                program.AppendLine(CultureInfo.InvariantCulture, $"printf(\"{name} %u\\n\", (unsigned){name});");
                managed.Add(Invariant($"{name} {Convert.ToUInt32(Enum.Parse(type, name), CultureInfo.InvariantCulture)}"));
            }
        }

        foreach (FieldInfo constant in Headers.SelectMany(static h => h.Constants.GetFields()))
        {
            program.AppendLine(CultureInfo.InvariantCulture, $"printf(\"{constant.Name} %lld\\n\", (long long){constant.Name});");
            managed.Add(Invariant($"{constant.Name} {constant.GetRawConstantValue()}"));
        }

        program.AppendLine("printf(\"%s\\n%s\\n%s\\n\", DOTNET_GET_API_SYMBOL, VHOST_PCI_INTERFACE, DOTNET_PCI_INTERFACE);").Append("return 0;\n}\n");
        managed.Add(Encoding.UTF8.GetString(DotnetHostAbi.DOTNET_GET_API_SYMBOL));
        managed.Add(Encoding.UTF8.GetString(VhostPciAbi.VHOST_PCI_INTERFACE));
        managed.Add(Encoding.UTF8.GetString(DotnetPciAbi.DOTNET_PCI_INTERFACE));

        Assert.Equal(CProgram.Run(program.ToString()).Split('\n', StringSplitOptions.RemoveEmptyEntries), managed);
    }

    [Fact]
    public void EveryEnumMemberOfTheHeaderIsBound()
    {
        foreach (Match match in Definition().Matches(Header).Where(static m => m.Groups["kind"].Value == "enum"))
        {
            string[] members = [.. match.Groups["body"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(static m => m.Split('=')[0].Trim())];

            Assert.Equal(members, Enum.GetNames(Generated.Single(t => t.Name == match.Groups["name"].Value)));
        }
    }

    [Fact]
    public void PortsHaveTheValuesOfTheAbi()
    {
        AssertSame<VhostPci.Device.Ports.DescriptorEvents, dotnet_fd_events>("DOTNET_FD_");
        AssertSame<FdEvents, dotnet_fd_events>("DOTNET_FD_");
        AssertSame<VhostPci.Device.Ports.RingEndpoint, vhost_pci_ring_fd>("VHOST_PCI_RING_");
        AssertSame<VhostPci.Device.Ports.TraceEvent, vhost_pci_trace_event>("VHOST_PCI_TRACE_");
    }

    // By value, and by name as far as the port does not spell an abbreviation out.
    private static void AssertSame<TPort, TAbi>(string prefix)
        where TPort : struct, Enum
        where TAbi : struct, Enum
    {
        string[] port = [.. Enum.GetValues<TPort>().Select(static v => Invariant($"{v:D} {v.ToString().ToUpperInvariant()}"))];
        string[] abi = [.. Enum.GetValues<TAbi>().Select(v => Invariant($"{v:D} {v.ToString()[prefix.Length..].Replace("_", "", StringComparison.Ordinal)}"))];
        Assert.Equal(abi.Length, port.Length);
        foreach ((string a, string p) in abi.Zip(port))
            Assert.StartsWith(a, p, StringComparison.Ordinal);
    }

    private static string TypeOfParameter(string parameter)
    {
        Match match = ParameterName().Match(parameter.Trim());
        return TypeName(match.Groups["type"].Value);
    }

    private static string TypeName(string c)
    {
        string stars = new('*', c.Count(static x => x == '*'));
        string plain = c.Replace("const", "", StringComparison.Ordinal).Replace("struct", "", StringComparison.Ordinal)
            .Replace("*", "", StringComparison.Ordinal).Trim();
        return plain switch
        {
            "void" => "Void",
            "char" => "SByte",
            "uint8_t" => "Byte",
            "int" or "int32_t" => "Int32",
            "int64_t" => "Int64",
            "uint32_t" => "UInt32",
            "uint64_t" => "UInt64",
            _ => plain,
        } + stars;
    }

    private static FieldInfo[] Fields(Type type)
        => [.. type.GetFields(BindingFlags.Instance | BindingFlags.Public).OrderBy(static f => f.MetadataToken)];

    private static int SizeOf(Type type)
        => type.IsPointer || type.IsFunctionPointer
            ? nint.Size
            : (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"^(?<kind>struct|enum) (?<name>\w+) \{(?<body>.*?)^\};", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Definition();

    [GeneratedRegex(@"\(\*(?<function>\w+)\)|(?<data>\w+)(\[\w+\])?$", RegexOptions.Singleline)]
    private static partial Regex MemberName();

    [GeneratedRegex(@"(?<return>[\w ]+?)\s*\(\*(?<name>\w+)\)\((?<parameters>[^)]*)\)", RegexOptions.Singleline)]
    private static partial Regex Function();

    [GeneratedRegex(@"^(?<type>.*?)\w+$", RegexOptions.Singleline)]
    private static partial Regex ParameterName();
}
