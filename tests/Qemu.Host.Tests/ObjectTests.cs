// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Tests;

/// <summary>Numbers of objects, and what comes in and goes out by them.</summary>
public sealed unsafe class ObjectTests
{
    public ObjectTests() => FakeQemu.Forget();

    [Fact]
    public void A_number_finds_its_object_until_it_is_forgotten_and_nothing_after()
    {
        var target = new Target();
        ulong number = QemuHost.Current.Register(target);
        Assert.NotEqual(0UL, number);
        Assert.Same(target, QemuHost.Current.Find<Target>(number));
        Assert.Same(target, QemuHost.Current.Find<IHostObject>(number));
        Assert.Null(QemuHost.Current.Find<Silent>(number));

        QemuHost.Current.Unregister(number);
        ulong next = QemuHost.Current.Register(target);
        Assert.True(next > number);
        foreach (ulong stale in (ulong[])[0, number, next + 1, ulong.MaxValue])
        {
            Assert.Null(QemuHost.Current.Find<IHostObject>(stale));
            FakeQemu.Api->fd_ready(stale, 5, 1);
            FakeQemu.Api->timer_fired(stale);
        }

        Assert.Empty(target.Heard);
        Assert.Empty(FakeQemu.Calls);
        QemuHost.Current.Unregister(next);
    }

    [Fact]
    public void Events_reach_the_object_that_has_the_number()
    {
        var target = new Target();
        ulong silent = QemuHost.Current.Register(new Silent());
        ulong number = QemuHost.Current.Register(target);
        FakeQemu.Api->fd_ready(number, 5, 3);
        FakeQemu.Api->timer_fired(number);
        FakeQemu.Api->fd_ready(silent, 6, 1);
        FakeQemu.Api->timer_fired(silent);
        Assert.Equal(["5 Read, Write", "timer"], target.Heard);
        Assert.Empty(FakeQemu.Lines);
        QemuHost.Current.Unregister(number);
        QemuHost.Current.Unregister(silent);
    }

    [Fact]
    public void What_is_asked_of_QEMU_has_the_librarys_name()
    {
        QemuHost.Current.Watch(7, 5, FdEvents.Write);
        QemuHost.Current.ArmTimer(7, 100);
        QemuHost.Current.CloseLater(9, 6);
        Assert.Equal(["11b watch 7 5 2", "11b timer 7 100", "11b close 9 6"], FakeQemu.Calls);
        Assert.Equal(43, QemuHost.Current.CountUnclosed(42));
    }

    [Fact]
    public void A_watch_ends_when_its_object_fails_and_not_when_that_is_gone()
    {
        var target = new Target { Fails = true };
        ulong number = QemuHost.Current.Register(target);
        FakeQemu.Api->fd_ready(number, 5, 1);
        Assert.Equal([$"11b watch {number} 5 0"], FakeQemu.Calls);
        Assert.StartsWith("libtoy.so: internal error in FdReady", Assert.Single(FakeQemu.Lines).Text, StringComparison.Ordinal);

        // The descriptor can be closed by then, and another's.
        target.Last = () => QemuHost.Current.Unregister(number);
        FakeQemu.Calls.Clear();
        FakeQemu.Api->fd_ready(number, 5, 1);
        Assert.Empty(FakeQemu.Calls);
    }

    [Fact]
    public void A_timer_that_fails_harms_nobody()
    {
        ulong number = QemuHost.Current.Register(new Target { Fails = true });
        FakeQemu.Api->timer_fired(number);
        Assert.Contains("a test's mistake", Assert.Single(FakeQemu.Lines).Text, StringComparison.Ordinal);
        Assert.Empty(FakeQemu.Calls);
        QemuHost.Current.Unregister(number);
    }

    private sealed class Silent : IHostObject;

    private sealed class Target : IHostObject
    {
        internal List<string> Heard { get; } = [];

        internal bool Fails { get; init; }

        internal Action? Last { get; set; }

        public void OnReady(int descriptor, FdEvents events) => Hear($"{descriptor} {events}");

        public void OnTimer() => Hear("timer");

        private void Hear(string what)
        {
            Heard.Add(what);
            Last?.Invoke();
            if (Fails)
            {
                throw new InvalidOperationException("a test's mistake");
            }
        }
    }
}
