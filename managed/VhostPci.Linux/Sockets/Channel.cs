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
    public ReceiveStatus Receive(Span<byte> buffer, ICollection<IPeerFile> files, out int count)
    {
        ArgumentOutOfRangeException.ThrowIfZero(buffer.Length);
        ArgumentNullException.ThrowIfNull(files);

        // First a look, which gives us descriptors of our own for what is attached: what the kernel has to close because there is no
        // room for it, here or in the table of descriptors, is then never the last one, which it would close on this thread.
        int space = ControlBuffer.Space(MessageHeader.MaxDescriptors);
        Span<byte> control = stackalloc byte[space];
        Span<int> numbers = stackalloc int[space / sizeof(int)];
        count = 0;
        nint seen = Take(buffer, control, LibcConstants.MSG_PEEK, out space, out bool truncated);
        if (seen < 0)
            return LastError.Number == LinuxError.EAGAIN ? ReceiveStatus.WouldBlock : ReceiveStatus.Closed;

        ReadOnlySpan<int> arrived = numbers[..ControlBuffer.Read(control[..space], numbers)];
        if (truncated)
        {
            CloseAll(arrived);
            return ReceiveStatus.Truncated;
        }

        // Then the bytes, and not one more: the next could have descriptors as well. A look reaches as far as the first descriptors,
        // be they behind its last byte: only now the kernel says whether they belong to these bytes.
        bool attached = false;
        bool whole = seen != 0 && Take(buffer[..(int)seen], [], 0, out _, out attached) == seen;
        if (!whole || !attached)
            CloseAll(arrived);
        else
            HandOver(arrived, files);
        count = whole ? (int)seen : 0;
        return whole ? ReceiveStatus.Data : ReceiveStatus.Closed;
    }

    /// <inheritdoc/>
    public bool TrySend(ReadOnlySpan<byte> data, ReadOnlySpan<int> descriptors, int timeoutMilliseconds)
    {
        ArgumentOutOfRangeException.ThrowIfZero(data.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, ControlBuffer.MaxDescriptors);

        int space = descriptors.IsEmpty ? 0 : ControlBuffer.Space(descriptors.Length);
        Span<byte> control = stackalloc byte[space];
        if (space != 0)
            ControlBuffer.Write(control, descriptors);

        int number = Descriptor;
        long deadline = Environment.TickCount64 + timeoutMilliseconds;
        while (!data.IsEmpty)
        {
            nint sent = Put(number, data, control);
            if (sent > 0)
            {
                data = data[(int)sent..];
                // They went with the first byte; a second time they would be new descriptors to the peer.
                control = [];
            }
            else if (LastError.Number == LinuxError.EAGAIN)
            {
                if (!Wait(number, LibcConstants.POLLOUT, deadline))
                    return false;
            }
            else if (LastError.Number != LinuxError.EINTR)
            {
                return false;
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

    private static nint Put(int number, ReadOnlySpan<byte> data, ReadOnlySpan<byte> control)
    {
        // SAFETY: both spans are pinned and the structs are on this stack until the kernel has copied from them.
        unsafe
        {
            fixed (byte* pointer = data, controlPointer = control)
            {
                var vector = new IoVector { Base = (nint)pointer, Length = (nuint)data.Length };
                var message = new MessageDescription
                {
                    Vectors = (nint)(&vector),
                    VectorCount = 1,
                    Control = (nint)controlPointer,
                    ControlLength = (nuint)control.Length,
                };
                return LibcSockets.Send(number, &message, LibcConstants.MSG_DONTWAIT | LibcConstants.MSG_NOSIGNAL);
            }
        }
    }

    private nint Take(Span<byte> buffer, Span<byte> control, int flags, out int space, out bool truncated)
    {
        MessageDescription message;
        nint received;

        // SAFETY: both spans are pinned and the structs are on this stack until the kernel has filled them, to their lengths at most.
        unsafe
        {
            fixed (byte* pointer = buffer, controlPointer = control)
            {
                var vector = new IoVector { Base = (nint)pointer, Length = (nuint)buffer.Length };
                do
                {
                    message = new MessageDescription
                    {
                        Vectors = (nint)(&vector),
                        VectorCount = 1,
                        Control = (nint)controlPointer,
                        ControlLength = (nuint)control.Length,
                    };
                    received = LibcSockets.Receive(Descriptor, &message, flags | LibcConstants.MSG_DONTWAIT | LibcConstants.MSG_CMSG_CLOEXEC);
                }
                while (received < 0 && LastError.Number == LinuxError.EINTR);
            }
        }

        space = (int)message.ControlLength;
        truncated = received >= 0 && (message.Flags & LibcConstants.MSG_CTRUNC) != 0;
        return received;
    }

    private static bool Wait(int number, short events, long deadline)
    {
        while (true)
        {
            var poll = new PollDescriptor { Descriptor = number, Events = events };
            long left = Math.Clamp(deadline - Environment.TickCount64, 0, int.MaxValue);
            int ready;

            // SAFETY: one struct, on this stack.
            unsafe
            {
                ready = LibcSockets.Poll(&poll, 1, (int)left);
            }

            if (ready > 0)
                return true;
            if (ready == 0)
                return false;
            if (LastError.Number != LinuxError.EINTR)
                return false;
        }
    }

    private static PeerCredentials GetCredentials(int number)
    {
        UserCredentials credentials = default;
        bool known;

        // SAFETY: the kernel fills the struct, which is on this stack, to the length that it is told at most.
        unsafe
        {
            uint length = (uint)sizeof(UserCredentials);
            known = LibcSockets.GetOption(number, LibcConstants.SOL_SOCKET, LibcConstants.SO_PEERCRED, &credentials, &length) == 0;
        }

        return known
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
