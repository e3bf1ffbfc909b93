// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>A main loop by hand: everything watched is asked in each round, so readiness without data is exercised as well.</summary>
internal sealed class FakeHost : IHost
{
    private readonly Dictionary<ulong, IReactor> _reactors = [];
    private readonly Dictionary<int, ulong> _watches = [];
    private readonly Dictionary<ulong, long> _timers = [];
    private ulong _last;

    internal FakeTime Time { get; } = new();

    internal List<(TraceEvent Event, ulong Id, ulong A, ulong B)> Traces { get; } = [];

    /// <summary>What goes wrong after each thing that is done here; null for nothing.</summary>
    internal FaultPlan? Plan { get; set; }

    /// <summary>Exceptions that came out of reactors and were kept from the loop, as the ABI's entries do; null lets them through.</summary>
    internal List<Exception>? Caught { get; set; }

    internal int Reactors => _reactors.Count;

    internal int Watches => _watches.Count;

    internal int Timers => _timers.Count;

    public ulong Register(IReactor reactor)
    {
        _reactors.Add(++_last, reactor);
        return _last;
    }

    public void Unregister(ulong number)
    {
        Assert.True(_reactors.Remove(number), "unregistered twice");
        Assert.DoesNotContain(number, _watches.Values);
        Assert.DoesNotContain(number, _timers.Keys);
    }

    public void Watch(ulong reactor, int descriptor, DescriptorEvents events)
    {
        Assert.Contains(reactor, _reactors.Keys);
        if (events == DescriptorEvents.None)
        {
            _watches.Remove(descriptor);
        }
        else
        {
            _watches[descriptor] = reactor;
        }

        Plan?.Step();
    }

    public void ArmTimer(ulong reactor, uint milliseconds)
    {
        Assert.Contains(reactor, _reactors.Keys);
        if (milliseconds == 0)
        {
            _timers.Remove(reactor);
        }
        else
        {
            _timers[reactor] = Time.Milliseconds + milliseconds;
        }

        Plan?.Step();
    }

    public int CountUnclosed(ulong lane) => 0;

    public void CloseLater(ulong lane, int descriptor) => throw new NotSupportedException("the sockets of these tests close at once");

    public void Trace(TraceEvent traceEvent, ulong id, ulong a, ulong b)
    {
        if (Traces.Count < 100_000)
        {
            Traces.Add((traceEvent, id, a, b));
        }

        Plan?.Step();
    }

    /// <summary>Calls something of the library's as the host does.</summary>
    internal void Call(Action action, Action? afterFault = null)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (Caught is not null)
        {
            Caught.Add(exception);
            afterFault?.Invoke();
        }
    }

    /// <summary>Runs the loop until everybody has had several chances.</summary>
    internal void Pump(int rounds = 6)
    {
        for (int i = 0; i < rounds; i++)
        {
            foreach ((int descriptor, ulong number) in _watches.ToArray())
            {
                if (_watches.TryGetValue(descriptor, out ulong still) && still == number)
                {
                    Call(() => _reactors[number].OnReady(descriptor, DescriptorEvents.Read), () => StopWatching(number, descriptor));
                }
            }
        }
    }

    /// <summary>Lets time pass and fires the timers on the way, in order.</summary>
    internal void Advance(long milliseconds)
    {
        long end = Time.Milliseconds + milliseconds;
        while (_timers.Count != 0)
        {
            (ulong number, long due) = _timers.MinBy(timer => timer.Value);
            if (due > end)
            {
                break;
            }

            // Somebody may have waited longer.
            Time.Milliseconds = Math.Max(due, Time.Milliseconds);
            _timers.Remove(number);
            Call(_reactors[number].OnTimer);
        }

        Time.Milliseconds = Math.Max(end, Time.Milliseconds);
    }

    private void StopWatching(ulong number, int descriptor)
    {
        if (_reactors.ContainsKey(number))
        {
            _watches.Remove(descriptor);
        }
    }
}
