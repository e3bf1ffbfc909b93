// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Libc;
using VhostPci.Protocol;

namespace VhostPci.Linux.Sockets;

/// <summary>A connected UNIX stream socket.</summary>
/// <remarks>
/// It never relies on O_NONBLOCK, which belongs to the open file and so to others as well: each call says MSG_DONTWAIT. (QEMU's own
/// receive path makes received descriptors blocking for everybody who shares them.)
/// </remarks>
public sealed class Channel : IChannel
{
    private readonly Descriptor _descriptor;

    /// <summary>Takes over a connected socket.</summary>
    /// <param name="descriptor">The socket, which now belongs to this object; its lane closes it, and what comes through it.</param>
    public Channel(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        _descriptor = descriptor;
        Peer = GetCredentials(descriptor.Number);
    }

    /// <inheritdoc/>
    public int Descriptor => _descriptor.Number;

    /// <inheritdoc/>
    /// <remarks>Pid 0 and the greatest uid and gid when the kernel does not tell.</remarks>
    public PeerCredentials Peer { get; }

    /// <inheritdoc/>
    public int Unclosed => _descriptor.Lane?.Unclosed ?? 0;

    /// <summary>Makes a channel of a socket that stays its owner's, as a chardev's.</summary>
    /// <param name="number">The socket.</param>
    /// <param name="closer">Closes the second descriptor, and what comes through it; null: they are closed at once.</param>
    /// <returns>Null when the process is out of descriptors or the number is not an open one.</returns>
    public static Channel? Duplicate(int number, ICloser? closer = null)
        => Files.Descriptor.Duplicate(number, closer is null ? null : new CloseLane(closer)) is { } copy ? new Channel(copy) : null;

    /// <inheritdoc/>
    // SAFETY: both buffers are on this stack: space bytes for the kernel to fill, and a number for each four of them, as ControlBuffer.Read asks.
    public unsafe ReceiveStatus Receive(Span<byte> buffer, ICollection<IPeerFile> files, out int count)
    {
        ArgumentOutOfRangeException.ThrowIfZero(buffer.Length);
        ArgumentNullException.ThrowIfNull(files);

        // First a look, which gives us descriptors of our own for what is attached: what the kernel has to close because there is no
        // room for it, here or in the table of descriptors, is then never the last one, which it would close on this thread.
        int space = ControlBuffer.Space(MessageHeader.MaxDescriptors);
        byte* control = stackalloc byte[space];
        int* numbers = stackalloc int[space / sizeof(int)];
        count = 0;
        nint seen = Take(buffer, control, ref space, LibcConstants.MSG_PEEK, out bool truncated);
        if (seen < 0)
            return Errno.Last == Errno.EAGAIN ? ReceiveStatus.WouldBlock : ReceiveStatus.Closed;

        var arrived = new ReadOnlySpan<int>(
            numbers, ControlBuffer.Read(new ReadOnlySpan<byte>(control, space), new Span<int>(numbers, space / sizeof(int))));
        if (truncated)
        {
            CloseAll(arrived);
            return ReceiveStatus.Truncated;
        }

        // Then the bytes, and not one more: the next could have descriptors as well. A look reaches as far as the first descriptors,
        // be they behind its last byte: only now the kernel says whether they belong to these bytes.
        space = 0;
        bool attached = false;
        bool whole = seen != 0 && Take(buffer[..(int)seen], null, ref space, 0, out attached) == seen;
        if (!whole || !attached)
            CloseAll(arrived);
        else
            HandOver(arrived, files);
        count = whole ? (int)seen : 0;
        return whole ? ReceiveStatus.Data : ReceiveStatus.Closed;
    }

    /// <inheritdoc/>
    // SAFETY: the kernel reads data and control during sendmsg only, while both are pinned, and their lengths go with them.
    public unsafe bool TrySend(ReadOnlySpan<byte> data, ReadOnlySpan<int> descriptors, int timeoutMilliseconds)
    {
        ArgumentOutOfRangeException.ThrowIfZero(data.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, ControlBuffer.MaxDescriptors);

        int space = descriptors.IsEmpty ? 0 : ControlBuffer.Space(descriptors.Length);
        Span<byte> control = stackalloc byte[space];
        if (space != 0)
            ControlBuffer.Write(control, descriptors);

        int number = Descriptor;
        long deadline = Environment.TickCount64 + timeoutMilliseconds;
        fixed (byte* controlPointer = control)
        {
            while (!data.IsEmpty)
            {
                nint sent;
                fixed (byte* pointer = data)
                {
                    var vector = new IoVector { Base = pointer, Length = (nuint)data.Length };
                    var message = new MessageDescription
                    {
                        Vectors = &vector,
                        VectorCount = 1,
                        Control = space != 0 ? controlPointer : null,
                        ControlLength = (nuint)space,
                    };
                    sent = LibcSockets.Send(number, &message, LibcConstants.MSG_DONTWAIT | LibcConstants.MSG_NOSIGNAL);
                }

                if (sent > 0)
                {
                    data = data[(int)sent..];
                    // They went with the first byte; a second time they would be new descriptors to the peer.
                    space = 0;
                }
                else if (Errno.Last == Errno.EAGAIN)
                {
                    if (!Wait(number, LibcConstants.POLLOUT, deadline))
                        return false;
                }
                else if (Errno.Last != Errno.EINTR)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <inheritdoc/>
    /// <remarks>True as well when the peer is gone: <see cref="Receive"/> tells.</remarks>
    public bool WaitReadable(int timeoutMilliseconds)
        => Wait(Descriptor, LibcConstants.POLLIN, Environment.TickCount64 + timeoutMilliseconds);

    /// <inheritdoc/>
    public void ShutDown() => _ = LibcSockets.ShutDown(Descriptor, LibcConstants.SHUT_RDWR);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_descriptor.IsClosed)
            return;

        // The peer need not wait until it is closed.
        ShutDown();
        _descriptor.Dispose();
    }

    // SAFETY: the kernel writes buffer, pinned here, and control, of which the caller has space bytes, during recvmsg only and no further than the lengths say.
    private unsafe nint Take(Span<byte> buffer, byte* control, ref int space, int flags, out bool truncated)
    {
        MessageDescription message;
        nint received;
        fixed (byte* pointer = buffer)
        {
            var vector = new IoVector { Base = pointer, Length = (nuint)buffer.Length };
            do
            {
                message = new MessageDescription { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)space };
                received = LibcSockets.Receive(Descriptor, &message, flags | LibcConstants.MSG_DONTWAIT | LibcConstants.MSG_CMSG_CLOEXEC);
            }
            while (received < 0 && Errno.Last == Errno.EINTR);
        }

        space = (int)message.ControlLength;
        truncated = received >= 0 && (message.Flags & LibcConstants.MSG_CTRUNC) != 0;
        return received;
    }

    // SAFETY: one struct on this stack, and the count says one.
    private static unsafe bool Wait(int number, short events, long deadline)
    {
        while (true)
        {
            var poll = new PollDescriptor { Descriptor = number, Events = events };
            long left = Math.Clamp(deadline - Environment.TickCount64, 0, int.MaxValue);
            int ready = LibcSockets.Poll(&poll, 1, (int)left);
            if (ready > 0)
                return true;
            if (ready == 0)
                return false;
            if (Errno.Last != Errno.EINTR)
                return false;
        }
    }

    // SAFETY: the kernel writes at most length bytes, which is the struct's size; both are on this stack.
    private static unsafe PeerCredentials GetCredentials(int number)
    {
        UserCredentials credentials = default;
        uint length = (uint)sizeof(UserCredentials);
        return LibcSockets.GetOption(number, LibcConstants.SOL_SOCKET, LibcConstants.SO_PEERCRED, &credentials, &length) == 0
            ? new PeerCredentials(credentials.Pid, credentials.Uid, credentials.Gid)
            : new PeerCredentials(0, uint.MaxValue, uint.MaxValue);
    }

    private void HandOver(ReadOnlySpan<int> numbers, ICollection<IPeerFile> files)
    {
        int done = 0;
        try
        {
            while (done < numbers.Length)
            {
                var file = new PeerFile(new Descriptor(numbers[done], _descriptor.Lane));
                done++;
                files.Add(file);
            }
        }
        finally
        {
            // Nothing is left here unless memory ran out on the way.
            CloseAll(numbers[done..]);
        }
    }

    private void CloseAll(ReadOnlySpan<int> numbers)
    {
        foreach (int number in numbers)
            new Descriptor(number, _descriptor.Lane).Dispose();
    }
}
