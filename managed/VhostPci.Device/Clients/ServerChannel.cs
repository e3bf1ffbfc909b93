// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;
using VhostPci.Device.Limits;
using VhostPci.Device.Ports;
using VhostPci.Device.Wire;
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>A client's connection to its server: sends and reads, and waits no longer than its budget lets it.</summary>
/// <param name="host">The host.</param>
/// <param name="number">The client's number in the host's eyes.</param>
/// <param name="time">The clock.</param>
/// <param name="left">What servers have left.</param>
/// <param name="onLost">Told why the connection is of no more use.</param>
[SuppressMessage("Design", "CA1001", Justification = "The source goes with the connection, in Drop.")]
internal sealed class ServerChannel(IHost host, ulong number, TimeProvider time, Leftovers left, Action<string> onLost)
{
    private readonly WaitBudget _waits = new(time, TimeSpan.FromMilliseconds(Budgets.ServerWait));
    private IChannel? _channel;
    private IChannel? _leaving;
    private MessageSource<BackEndMessage>? _source;

    internal bool IsOpen => _channel is not null;

    /// <summary>One that has been dropped, or kept back, is still to be closed.</summary>
    internal bool IsClosing => _leaving is not null;

    internal void Open(IChannel channel)
    {
        _channel = channel;
        _source = new MessageSource<BackEndMessage>(channel, BackEndTable.Instance);
    }

    internal void Watch() => host.Watch(number, _channel!.Descriptor, DescriptorEvents.Read);

    /// <summary>Keeps a connection without reading it, so that it leaves nothing to be closed.</summary>
    internal void KeepBack(IChannel channel) => _leaving = channel;

    /// <summary>Gives back what <see cref="KeepBack"/> was given.</summary>
    internal IChannel? TakeBack()
    {
        IChannel? channel = _leaving;
        _leaving = null;
        return channel;
    }

    internal bool Send(RequestCode request) => Send(request, []);

    internal bool Send<T>(RequestCode request, T payload, ReadOnlySpan<int> descriptors = default)
        where T : struct, IPayload<T>
    {
        Span<byte> bytes = stackalloc byte[T.Size];
        payload.Write(bytes);
        return Send(request, bytes, descriptors);
    }

    /// <summary>Sends a message; when the server does not take it the connection is lost.</summary>
    internal bool Send(RequestCode request, ReadOnlySpan<byte> payload, ReadOnlySpan<int> descriptors = default)
    {
        if (_channel is not { } channel)
        {
            return false;
        }

        Span<byte> buffer = stackalloc byte[MessageWriter.MaxSize];
        ReadOnlySpan<byte> message = MessageWriter.Write(buffer, request, MessageFlags.None, payload);
        host.Trace(TraceEvent.ClientMessage, number, (uint)request, (ulong)payload.Length);
        long start = time.GetTimestamp();
        bool sent = channel.TrySend(message, descriptors, Math.Min(Budgets.SendTimeout, _waits.Left(start)));
        _waits.Charge(start);
        if (!sent)
        {
            onLost("it is gone or does not read");
        }

        return sent;
    }

    /// <summary>Takes one message, if a whole one is there.</summary>
    /// <param name="message">The message; null unless there is one.</param>
    /// <param name="request">Its number.</param>
    /// <param name="reason">What is wrong, when something is.</param>
    internal ReadStatus Read(out BackEndMessage? message, out RequestCode request, out string reason)
    {
        message = null;
        request = RequestCode.None;
        reason = string.Empty;
        if (_source is not { } source)
        {
            return ReadStatus.Pending;
        }

        ReadStatus status = source.Read(out reason);
        if (status == ReadStatus.Message)
        {
            (message, request) = (source.Message, source.Header.Request);
            source.Next();
        }

        return status;
    }

    /// <summary>Begins a wait.</summary>
    internal long StartWait() => time.GetTimestamp();

    /// <summary>Waits for something to read, as long as the budget lets a wait that has begun.</summary>
    internal bool WaitReadable(long start)
    {
        int left = _waits.Left(start);
        return left > 0 && _channel is { } channel && channel.WaitReadable(left);
    }

    /// <summary>Ends a wait, which costs budget.</summary>
    internal void EndWait(long start) => _waits.Charge(start);

    /// <summary>Ends the connection; its descriptor stays open until <see cref="Release"/>.</summary>
    internal void Drop()
    {
        if (_channel is { } channel)
        {
            host.Watch(number, channel.Descriptor, DescriptorEvents.None);
            _source?.Dispose();
            channel.ShutDown();
            _source = null;
            _channel = null;
            _leaving = channel;
        }
    }

    /// <summary>Closes what has been dropped.</summary>
    /// <remarks>
    /// The chardev has closed its descriptor of the connection, so ours is the last: what the server has sent and nobody has read
    /// goes with it, where nobody waits. The other way round it would go with the chardev's, on the VM's main thread.
    /// </remarks>
    internal void Release()
    {
        if (TakeBack() is { } channel)
        {
            left.Dispose(channel);
        }
    }
}
