// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Qemu.Host.Generated;

namespace Qemu.Host.Tests;

/// <summary>QEMU's half of <c>dotnet_host_abi.h</c>: remembers what it is asked for. It loads one library, as a process does.</summary>
internal static unsafe class FakeQemu
{
    /// <summary>What the library must give back as its own name.</summary>
    internal const nint Library = 0x11b;

    private static dotnet_api* _api;

    internal static List<(dotnet_log_level Level, string Text)> Lines { get; } = [];

    internal static List<string> Calls { get; } = [];

    /// <summary>What nobody sees below.</summary>
    internal static dotnet_log_level Shown { get; set; }

    /// <summary>What the library of the tests offers.</summary>
    internal static QemuInterface[] Interfaces { get; } =
    [
        new("toy", 3, sizeof(Toy), static host =>
        {
            Starts++;
            return ((Toy*)host)->Api;
        }),
        new("broken", 1, sizeof(Toy), static host => ++Attempts == 1 ? throw new InvalidOperationException("not at the first time") : ((Toy*)host)->Api),
    ];

    internal static int Starts { get; set; }

    internal static int Attempts { get; set; }

    /// <summary>The library's table, from a first call that succeeds.</summary>
    internal static dotnet_api* Api
    {
        get
        {
            if (_api == null)
            {
                dotnet_api* api = null;
                dotnet_host table = NewTable();
                Assert.Equal(0, QemuLibrary.Start("libtoy.so", DotnetHostAbi.DOTNET_HOST_ABI_VERSION, (nint)(&table), (nint)(&api), 0, Interfaces));
                _api = api;
            }

            return _api;
        }
    }

    internal static dotnet_host NewTable() => new()
    {
        version = DotnetHostAbi.DOTNET_HOST_ABI_VERSION,
        size = (uint)sizeof(dotnet_host),
        library = (void*)Library,
        log = &Log,
        log_enabled = &LogEnabled,
        watch_fd = &Watch,
        arm_timer = &ArmTimer,
        close_later = &CloseLater,
        unclosed = &Unclosed,
    };

    /// <summary>As if the library had just been loaded: no objects, no faults so far.</summary>
    internal static void Forget()
    {
        _ = Api;
        QemuHost.Current = new QemuHost(NewTable(), "libtoy.so");
        Lines.Clear();
        Calls.Clear();
        Shown = dotnet_log_level.DOTNET_LOG_DEBUG;
    }

    internal static string Text(dotnet_error* error) => Marshal.PtrToStringUTF8((nint)error) ?? string.Empty;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Log(uint level, sbyte* text, uint length) => Lines.Add(((dotnet_log_level)level, Encoding.UTF8.GetString((byte*)text, (int)length)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint LogEnabled(uint level) => level >= (uint)Shown ? 1U : 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Watch(void* library, ulong number, int descriptor, uint events) => Calls.Add($"{(nint)library:x} watch {number} {descriptor} {events}");

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void ArmTimer(void* library, ulong number, uint milliseconds) => Calls.Add($"{(nint)library:x} timer {number} {milliseconds}");

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void CloseLater(void* library, ulong lane, int descriptor) => Calls.Add($"{(nint)library:x} close {lane} {descriptor}");

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint Unclosed(void* library, ulong lane) => (nint)library == Library ? (uint)lane + 1 : 0;

    /// <summary>QEMU's table of the toy interface: says what the library's is.</summary>
    internal struct Toy
    {
        public uint Version;
        public uint Size;
        public nint Api;
    }
}
