// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Sockets;

/// <summary>The arithmetic of CMSG_LEN, CMSG_SPACE and CMSG_NXTHDR for descriptors.</summary>
internal static class ControlBuffer
{
    /// <summary>Bytes before the first descriptor.</summary>
    internal const int HeaderSize = 16;

    /// <summary>SCM_MAX_FD: what the kernel takes at most.</summary>
    internal const int MaxDescriptors = 253;

    /// <summary>Bytes of a buffer for that many descriptors and not one more.</summary>
    internal static int Space(int descriptors) => Align(HeaderSize + descriptors * sizeof(int));

    /// <summary>Writes one SCM_RIGHTS message.</summary>
    internal static void Write(Span<byte> buffer, ReadOnlySpan<int> descriptors)
    {
        buffer.Clear();
        var header = new ControlHeader
        {
            Length = (nuint)(HeaderSize + descriptors.Length * sizeof(int)),
            Level = LibcConstants.SOL_SOCKET,
            Type = LibcConstants.SCM_RIGHTS,
        };
        MemoryMarshal.Write(buffer, in header);
        MemoryMarshal.AsBytes(descriptors).CopyTo(buffer[HeaderSize..]);
    }

    /// <summary>Collects the descriptors of all SCM_RIGHTS messages.</summary>
    /// <param name="buffer">The part that the kernel has filled.</param>
    /// <param name="descriptors">At least a quarter as long as <paramref name="buffer"/>.</param>
    /// <returns>How many there are.</returns>
    internal static int Read(ReadOnlySpan<byte> buffer, Span<int> descriptors)
    {
        int count = 0;
        while (buffer.Length >= HeaderSize)
        {
            ControlHeader header = MemoryMarshal.Read<ControlHeader>(buffer);
            if (header.Length < HeaderSize || header.Length > (nuint)buffer.Length)
                break;

            int length = (int)header.Length;
            if (header.Level == LibcConstants.SOL_SOCKET && header.Type == LibcConstants.SCM_RIGHTS)
            {
                for (int at = HeaderSize; at + sizeof(int) <= length; at += sizeof(int))
                    descriptors[count++] = MemoryMarshal.Read<int>(buffer[at..]);
            }

            buffer = buffer[Math.Min(Align(length), buffer.Length)..];
        }

        return count;
    }

    private static int Align(int length) => (length + sizeof(ulong) - 1) & ~(sizeof(ulong) - 1);
}
