// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using Qemu.Host.Generated;

namespace Qemu.Host;

/// <summary>QEMU, as any library sees it: its log, its main loop, and the numbers under which it knows the library's objects.</summary>
/// <remarks>
/// QEMU calls the library, and the library QEMU, with QEMU's big lock held, from whichever thread has it: one call at a time, so nothing here or
/// in a library needs a lock of its own. The members for closing are the exception. No call blocks.
/// </remarks>
public sealed class QemuHost
{
    private static QemuHost? _current;

    private readonly dotnet_host _table;
    private readonly Dictionary<ulong, IHostObject> _objects = [];
    private ulong _last;

    internal QemuHost(in dotnet_host table, string library)
    {
        _table = table;

        // Not LoggerFactory.Create: the container behind it costs start-up time and brings nothing here.
        Loggers = new LoggerFactory([new HostLoggerProvider(this)], new LoggerFilterOptions { MinLevel = LogLevel.Debug });
        Faults = new FaultLog(Loggers.CreateLogger<QemuHost>(), library, TimeProvider.System);
    }

    /// <summary>The QEMU that has loaded this library.</summary>
    /// <exception cref="InvalidOperationException">None has: nobody has called <see cref="QemuLibrary.Start"/>.</exception>
    public static QemuHost Current
    {
        get => _current ?? throw new InvalidOperationException("no QEMU has loaded this library");
        internal set => _current = value;
    }

    /// <summary>Loggers that write to QEMU's log: errors, warnings and information to stderr or the monitor, the rest to the trace event <c>dotnet_log</c>.</summary>
    public ILoggerFactory Loggers { get; }

    internal static FaultLog? FaultsOrNull => _current?.Faults;

    private FaultLog Faults { get; }

    /// <summary>Gives an object a number by which QEMU can call it.</summary>
    /// <returns>Never 0. Numbers count up and never come again, so a stale one finds nothing.</returns>
    public ulong Register(IHostObject target)
    {
        _objects.Add(++_last, target);
        return _last;
    }

    /// <summary>Forgets an object. Its watches and its timer must be gone already.</summary>
    public void Unregister(ulong number) => _objects.Remove(number);

    /// <summary>Finds an object by a number that QEMU has handed in. Allocates nothing.</summary>
    /// <returns>Null when the number is not one, not any more, or that of another kind of object.</returns>
    public T? Find<T>(ulong number)
        where T : class, IHostObject
        => _objects.TryGetValue(number, out IHostObject? target) ? target as T : null;

    /// <summary>Has <see cref="IHostObject.OnReady"/> called from the main loop for as long as a descriptor is ready.</summary>
    /// <param name="number">Of the object.</param>
    /// <param name="descriptor">Open. It has one watch only, the last.</param>
    /// <param name="events">Replaces what was watched; <see cref="FdEvents.None"/>, which must come before the descriptor is closed, stops it.</param>
    // SAFETY: the table is QEMU's, and so is what it calls the library; both stay for ever.
    public unsafe void Watch(ulong number, int descriptor, FdEvents events) => _table.watch_fd(_table.library, number, descriptor, (uint)events);

    /// <summary>Has <see cref="IHostObject.OnTimer"/> called once, from the main loop.</summary>
    /// <param name="number">Of the object, which has one timer: armed again, it starts anew.</param>
    /// <param name="milliseconds">Of host time, which also passes while the VM is stopped; 0 cancels.</param>
    // SAFETY: as Watch.
    public unsafe void ArmTimer(ulong number, uint milliseconds) => _table.arm_timer(_table.library, number, milliseconds);

    /// <summary>Closes a descriptor on a thread of the shim's: one that another process has sent can make that last. May be called from any thread.</summary>
    /// <param name="lane">Any number. Descriptors of a lane are closed one after the other and hold up no other lane.</param>
    /// <param name="descriptor">Is the shim's from here on.</param>
    // SAFETY: as Watch.
    public unsafe void CloseLater(ulong lane, int descriptor) => _table.close_later(_table.library, lane, descriptor);

    /// <summary>How many descriptors of a lane are not closed yet. May be called from any thread.</summary>
    // SAFETY: as Watch.
    public unsafe int CountUnclosed(ulong lane) => (int)_table.unclosed(_table.library, lane);

    internal bool IsLogged(dotnet_log_level level)
    {
        // SAFETY: as Watch.
        unsafe
        {
            return _table.log_enabled((uint)level) != 0;
        }
    }

    internal void Log(dotnet_log_level level, ReadOnlySpan<byte> line)
    {
        // SAFETY: the line stays for the call, and its length goes with it.
        unsafe
        {
            fixed (byte* start = line)
            {
                _table.log((uint)level, (sbyte*)start, (uint)line.Length);
            }
        }
    }

    /// <summary>Ends the watch of an object that has failed; when the object is gone the descriptor may be another file's by now.</summary>
    internal void StopWatching(ulong number, int descriptor)
    {
        if (_objects.ContainsKey(number))
        {
            Watch(number, descriptor, FdEvents.None);
        }
    }
}
