// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.CompilerServices;
using SharpFuzz;

namespace VhostPci.Fuzz;

/// <summary>VhostPci.Fuzz LIBFUZZER.so TARGET [options and folders of libFuzzer]: hands one of our targets to libFuzzer.</summary>
internal static class Program
{
    // What is instrumented, and thus guides libFuzzer.
    private static readonly string[] Instrumented = ["VhostPci.Protocol.dll", "VhostPci.Device.dll"];

    private static int Main(string[] args)
    {
        if (args.Length < 2)
        {
            Console.Error.WriteLine("VhostPci.Fuzz LIBFUZZER.so reader|server [options and folders of libFuzzer]");
            return 2;
        }

        // Before anything of them is loaded.
        foreach (string assembly in Instrumented)
        {
            Instrument(Path.Combine(AppContext.BaseDirectory, assembly));
        }

        return Run(args);
    }

    private static void Instrument(string path)
    {
        if (!IsInstrumented(path))
        {
            _ = Fuzzer.Instrument(path, static _ => true, Options.Value).ToArray();
        }
    }

    private static bool IsInstrumented(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        MetadataReader metadata = file.GetMetadataReader();
        return metadata.AssemblyReferences.Any(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name) == "SharpFuzz.Common");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args)
    {
        Action<byte[]> target = args[1] switch
        {
            "reader" => ReaderTarget.Run,
            "server" => ServerTarget.Run,
            _ => throw new ArgumentException($"no target {args[1]}"),
        };
        string command = $"dotnet {Path.Combine(AppContext.BaseDirectory, "VhostPci.Fuzz.dll")} {args[0]} {args[1]}";
        return LibFuzzer.Run(args[0], command, args[2..], target);
    }
}
