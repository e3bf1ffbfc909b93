// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Clients;

/// <summary>How long a VM may wait for its server: so much in one go, however many messages that takes. Time without waiting gives a twentieth back.</summary>
/// <remarks>So a server that is slow all the time holds its client up for a twentieth of it.</remarks>
internal sealed class WaitBudget(TimeProvider time, TimeSpan most)
{
    private const int Refund = 20;

    private TimeSpan _spent;
    private long _settled = time.GetTimestamp();

    /// <summary>Milliseconds that are left to a wait that has begun at a timestamp.</summary>
    internal int Left(long start)
    {
        Settle(start);
        return (int)Math.Max(0, (most - _spent - time.GetElapsedTime(start)).TotalMilliseconds);
    }

    /// <summary>A wait that has begun at a timestamp is over.</summary>
    internal void Charge(long start)
    {
        Settle(start);
        _settled = time.GetTimestamp();
        _spent += time.GetElapsedTime(start, _settled);
    }

    /// <summary>Nobody has waited since the last time.</summary>
    private void Settle(long now)
    {
        TimeSpan idle = time.GetElapsedTime(_settled, now) / Refund;
        _spent = idle < _spent ? _spent - idle : TimeSpan.Zero;
        _settled = now;
    }
}
