// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace VhostPci.Fuzz;

/// <summary>The shared library that is built from tests/fuzz/libfuzzer.c.</summary>
internal static unsafe class LibFuzzer
{
    private static Action<byte[]>? _target;

    /// <summary>Lets libFuzzer call the target until its own options say that it is enough, or the target throws.</summary>
    /// <param name="library">The shared library.</param>
    /// <param name="command">What starts this program with this target, for libFuzzer to start more of it (-merge, -minimize_crash).</param>
    /// <param name="options">For libFuzzer.</param>
    /// <param name="target">Takes one input; throws when it has found something.</param>
    internal static int Run(string library, string command, string[] options, Action<byte[]> target)
    {
        nint handle = NativeLibrary.Load(Path.GetFullPath(library));
        var counters = (delegate* unmanaged[Cdecl]<byte*>)NativeLibrary.GetExport(handle, "fuzz_counters");
        var run = (delegate* unmanaged[Cdecl]<int, byte**, delegate* unmanaged[Cdecl]<byte*, nuint, int>, int>)NativeLibrary.GetExport(handle, "fuzz_run");
        SharpFuzz.Common.Trace.SharedMem = counters();
        _target = target;

        // .NET has its own use for these signals. It keeps the arguments until the end.
        string[] words = [command, "-handle_segv=0", "-handle_bus=0", "-handle_fpe=0", "-handle_ill=0", "-handle_abrt=0", .. options];
        byte** argv = (byte**)NativeMemory.AllocZeroed((nuint)words.Length + 1, (nuint)sizeof(byte*));
        for (int i = 0; i < words.Length; i++)
        {
            byte[] word = Encoding.UTF8.GetBytes(words[i] + "\0");
            argv[i] = (byte*)NativeMemory.Alloc((nuint)word.Length);
            word.CopyTo(new Span<byte>(argv[i], word.Length));
        }

        return run(words.Length, argv, &RunOne);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int RunOne(byte* data, nuint size)
    {
        try
        {
            // Where the last input ended must not count.
            SharpFuzz.Common.Trace.PrevLocation = 0;
            _target!(new ReadOnlySpan<byte>(data, (int)size).ToArray());
        }
        catch (Exception exception)
        {
            Console.Error.WriteLine(exception);
            // libFuzzer takes an end inside the target for a crash, and writes the input down.
            Environment.Exit(1);
        }

        return 0;
    }
}
