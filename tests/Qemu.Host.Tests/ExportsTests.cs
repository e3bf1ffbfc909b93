// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using System.Runtime.InteropServices;
using VhostPci.Plugin;

namespace Qemu.Host.Tests;

/// <summary>What both hosts of the library, NativeAOT and CoreCLR, ask of its exports.</summary>
public sealed class ExportsTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly MethodInfo[] Methods = [.. typeof(Exports).Assembly.GetTypes().SelectMany(static t => t.GetMethods(All))];

    private static readonly MethodInfo[] Exported = [.. Methods
        .Where(static m => m.GetCustomAttribute<UnmanagedCallersOnlyAttribute>()?.EntryPoint is not null)];

    [Fact]
    public void TheLibraryExportsOneFunction()
    {
        MethodInfo export = Assert.Single(Exported);
        Assert.Equal("dotnet_get_api", export.GetCustomAttribute<UnmanagedCallersOnlyAttribute>()!.EntryPoint);
        Assert.True(export.IsPublic && export.IsStatic && export.DeclaringType!.IsPublic);
    }

    // CoreCLR's host looks an export up by its managed name. With a second method of that name the look-up is ambiguous, and the process aborts.
    [Fact]
    public void NoOtherMethodHasTheNameOfAnExport() =>
        Assert.All(Exported, static e => Assert.Single(Methods, m => m.DeclaringType == e.DeclaringType && m.Name == e.Name));
}
