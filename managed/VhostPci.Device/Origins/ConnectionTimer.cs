// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Origins;

/// <summary>A connection's one timer, armed for the earliest of all that it waits for.</summary>
internal sealed class ConnectionTimer(IHost host, ulong number, IOriginServer server)
{
    private readonly long?[] _due = new long?[Enum.GetValues<Waiting>().Length];
    private long? _armedFor;

    /// <summary>When something is due, by the server's clock; null when it is not waited for.</summary>
    internal long? this[Waiting what]
    {
        get => _due[(int)what];
        set
        {
            _due[(int)what] = value;
            Arm();
        }
    }

    /// <summary>The server's clock after a wait.</summary>
    internal long After(TimeSpan wait) => server.Now + (long)Math.Ceiling(wait.TotalMilliseconds);

    /// <summary>Whether it is time for something.</summary>
    internal bool IsDue(Waiting what) => this[what] <= server.Now;

    /// <summary>Whether it is time for something, which is not waited for any more then.</summary>
    internal bool TryTake(Waiting what)
    {
        bool due = IsDue(what);
        if (due)
        {
            this[what] = null;
        }

        return due;
    }

    /// <summary>The host's timer has run out and is not armed any more.</summary>
    internal void OnElapsed() => _armedFor = null;

    /// <summary>Arms the host's timer, if it is not armed for this already.</summary>
    internal void Arm()
    {
        long? next = _due.Min();
        if (_armedFor != next)
        {
            _armedFor = next;
            host.ArmTimer(number, next is { } due ? (uint)Math.Max(1, due - server.Now) : 0);
        }
    }
}
