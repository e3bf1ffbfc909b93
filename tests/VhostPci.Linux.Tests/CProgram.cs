// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace VhostPci.Linux.Tests;

/// <summary>Compiles and runs a C program against the headers in <c>interop/</c>.</summary>
internal static class CProgram
{
    public static string Run(string source)
    {
        string folder = Directory.CreateTempSubdirectory("vhost-pci-layout-").FullName;
        try
        {
            string input = Path.Combine(folder, "layout.c");
            string output = Path.Combine(folder, "layout");
            File.WriteAllText(input, source);
            Start("gcc", "-Wall", "-Werror", "-I", Checkout.PathOf("interop"), "-o", output, input);
            return Start(output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException($"{program} cannot be run; the layout test needs gcc and libc6-dev ({e.Message})", e);
        }

        using (process)
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {errors.Result}");
            return text;
        }
    }
}
