// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>How long a peer has for what it must do: its first message, the rest of one, letting its descriptors be closed.</summary>
internal sealed class PeerDeadline(IHost host, ulong number, IChannel channel, IOriginServer server, ConnectionTimer timer)
{
    private readonly long _accepted = server.Now;
    private bool _isInMessage;
    private ulong _messagesBefore;
    private bool _isUnclosed;

    /// <summary>Milliseconds since the connection was accepted.</summary>
    internal long Age => server.Now - _accepted;

    /// <summary>Why the connection must end now; null while there is time.</summary>
    internal string? Overdue => !timer.IsDue(Waiting.Peer) ? null
        : _isUnclosed ? $"descriptors that it has sent do not close, for {Budgets.UnclosedTimeout / 1000} s"
        : _isInMessage ? $"incomplete message, timed out after {Budgets.MessageTimeout / 1000} s"
        : $"no message for {Budgets.SilenceTimeout / 1000} s";

    /// <summary>Whether the peer may be read.</summary>
    /// <remarks>
    /// What it has sent and is let go is closed more slowly than it sends: nothing more of it is read until that is done. One more
    /// message can add as many descriptors as a message may have, whatever is in it (ADR 0025).
    /// </remarks>
    internal bool TryListen()
    {
        bool before = _isUnclosed;
        _isUnclosed = channel.Unclosed > Budgets.UnclosedDescriptors - MessageHeader.MaxDescriptors;
        if (_isUnclosed != before)
        {
            host.Watch(number, channel.Descriptor, _isUnclosed ? DescriptorEvents.None : DescriptorEvents.Read);
        }

        if (_isUnclosed)
        {
            // The time for a message, if it has begun, starts again after this.
            _isInMessage = false;
            timer[Waiting.Peer] = before ? timer[Waiting.Peer] : server.Now + Budgets.UnclosedTimeout;
        }

        timer[Waiting.Closes] = _isUnclosed ? server.Now + Budgets.UnclosedPause : null;
        return !_isUnclosed;
    }

    /// <summary>All that there is has been read: the rest of a message is due some time after its beginning, the first one after the accept.</summary>
    /// <param name="isInMessage">A message has begun.</param>
    /// <param name="messages">Messages before it.</param>
    internal void Update(bool isInMessage, ulong messages)
    {
        bool same = _isInMessage && isInMessage && _messagesBefore == messages;
        _isInMessage = isInMessage;
        _messagesBefore = messages;
        if (!same)
        {
            timer[Waiting.Peer] = isInMessage ? server.Now + Budgets.MessageTimeout : messages == 0 ? _accepted + Budgets.SilenceTimeout : null;
        }

        timer.Arm();
    }
}
