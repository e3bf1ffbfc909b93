// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Extensions.Logging;
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Server;

/// <summary>When a server listens to its socket: always, but for moments in which it could take nobody.</summary>
internal sealed class Listening(IHost host, ulong server, IListener listener, ILogger logger, string id, TimeProvider time)
{
    private readonly LineBudget _lines = new(time, 1, Budgets.LogPeriod);
    private bool _isStopped;
    private bool _waitsForCloses;

    internal void Start() => host.Watch(server, listener.Descriptor, DescriptorEvents.Read);

    /// <summary>A pause is over.</summary>
    internal void Resume()
    {
        if (_isStopped)
        {
            return;
        }

        try
        {
            Start();
        }
        catch
        {
            host.ArmTimer(server, Budgets.AcceptPause);
            throw;
        }
    }

    /// <summary>Does not listen for a moment. The timer comes first: with it alone the server would at least hear again.</summary>
    internal void Pause(uint milliseconds = Budgets.AcceptPause)
    {
        if (!_isStopped)
        {
            host.ArmTimer(server, milliseconds);
            host.Watch(server, listener.Descriptor, DescriptorEvents.None);
        }
    }

    /// <summary>The process can have no more descriptors.</summary>
    internal void OnOutOfDescriptors()
    {
        Pause();
        Say(ServerLog.OutOfDescriptors);
    }

    /// <summary>There is room, or there is not: connections that have ended have left too much.</summary>
    internal void OnRoom(bool hasRoom)
    {
        if (!hasRoom)
        {
            // Most of what has just been left is closed in a moment: only what is not is worth a word.
            Pause(_waitsForCloses ? Budgets.AcceptPause : Budgets.UnclosedPause);
            if (_waitsForCloses)
            {
                Say(ServerLog.TooManyClosing);
            }
        }

        _waitsForCloses = !hasRoom;
    }

    internal void Stop()
    {
        _isStopped = true;
        AllSteps.Run(
            () => host.Watch(server, listener.Descriptor, DescriptorEvents.None),
            () => host.ArmTimer(server, 0));
    }

    private void Say(Action<ILogger, string> say)
    {
        if (_lines.TryTake(out _))
        {
            say(logger, id);
        }
    }
}
