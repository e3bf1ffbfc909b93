// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qemu.Host.Generated;
using VhostPci.Linux.Tests;

namespace Qemu.Host.Tests;

/// <summary>No exception gets out, the result says so, and the log says what it was.</summary>
public sealed unsafe class GuardTests
{
    public GuardTests() => FakeQemu.Forget();

    [Fact]
    public void What_goes_right_is_not_touched()
    {
        int seen = 0;
        Guard.Run(5, a => seen = a);
        Assert.Equal(5, seen);
        Assert.Equal(12UL, Guard.Run((3, 4), 0UL, static a => (ulong)(a.Item1 * a.Item2)));
        dotnet_error error = default;
        Assert.Equal(7, Guard.Run(7, new ErrorText(&error), static (a, _) => a));
        Assert.Equal(-22, Guard.Run(7, new ErrorText(&error), static (_, text) => text.Refuse(Errno.InvalidArgument, "use another\nnumber")));
        Assert.Equal("use another number", FakeQemu.Text(&error));
        Assert.Empty(FakeQemu.Lines);
    }

    [Fact]
    public void Each_kind_of_entry_keeps_its_exception()
    {
        dotnet_error error = default;
        Guard.Run(1, static _ => throw new InvalidOperationException("first"), "NoResult");
        Assert.Equal(ulong.MaxValue, Guard.Run(1, ulong.MaxValue, static ulong (_) => throw new OverflowException("second"), "Result"));
        Assert.Equal(Errno.IO, Guard.Run(1, new ErrorText(&error), static int (_, _) => throw new InvalidOperationException("third"), "Text"));
        Assert.Equal("third", FakeQemu.Text(&error));
        Assert.Equal(Errno.IO, Guard.Run(1, new ErrorText(0), static int (_, _) => throw new InvalidOperationException("fourth"), "NoText"));
        Assert.Equal(Errno.IO, Guard.Run(HostPointer.To((long*)null), Errno.IO, static a => (int)a.Value, "Null"));
        Assert.Equal(Errno.IO, Guard.Run(HostPointer.To((byte*)1), Errno.IO, static a => a.AsSpan(uint.MaxValue).Length, "TooLong"));
    }

    /// <summary>The lambda itself is made at the first call.</summary>
    [Fact]
    public void Nothing_is_allocated()
    {
        Span<byte> bytes = stackalloc byte[8];
        fixed (byte* start = bytes)
        {
            for (int i = 0; i < 2; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (uint turn = 0; turn < 1000; turn++)
                {
                    Read(turn, start, 8);
                }

                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(i == 0 || allocated == 0, $"{allocated} bytes in 1000 calls");
            }
        }

        Assert.Equal(999 % 256, bytes[3]);
    }

    [Fact]
    public void Faults_are_shown_a_few_times_an_hour()
    {
        var time = new Clock();
        var shown = new List<string>();
        var log = new FaultLog(new ListLogger(shown), "libtoy.so", time);
        void Fault() => log.Write("Entry", new InvalidOperationException("x"));

        for (int i = 0; i < FaultLog.Lines + 5; i++)
        {
            Fault();
        }

        Assert.Equal(FaultLog.Lines, shown.Count);
        Assert.All(shown, static line => Assert.Equal("libtoy.so: internal error in Entry, please report it", line));
        time.Now += TimeSpan.FromMinutes(59);
        Fault();
        Assert.Equal(FaultLog.Lines, shown.Count);
        time.Now += TimeSpan.FromMinutes(1);
        Fault();
        Assert.Equal("libtoy.so: internal error in Entry, please report it (6 before were not shown)", shown[^1]);
        Fault();
        Assert.EndsWith("please report it", shown[^1], StringComparison.Ordinal);

        // A logger that fails as well is no way out.
        new FaultLog(new ListLogger(null), "libtoy.so", time).Write("Entry", new InvalidOperationException("x"));
        Assert.Contains($"| {FaultLog.Lines} an hour |", File.ReadAllText(Checkout.PathOf("docs/reference/operation.md")), StringComparison.Ordinal);
    }

    private static void Read(ulong number, byte* buffer, uint length)
        => Guard.Run((number, buffer: HostPointer.To(buffer), length), static a => a.buffer.AsSpan(a.length).Fill((byte)(a.number & 0xff)));

    private sealed class Clock : TimeProvider
    {
        internal TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private sealed class ListLogger(List<string>? lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => NullLogger.Instance.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => lines!.Add(formatter(state, exception));
    }
}
