// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A dump on a disk that may be too small; what is there must be whole whenever it ends.</summary>
internal sealed class MemoryDump(int room) : IDumpFile
{
    private readonly List<byte> _bytes = [];

    internal bool IsDisposed { get; private set; }

    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        Assert.False(IsDisposed, "written to after it was closed");
        if (_bytes.Count + bytes.Length > room)
        {
            return false;
        }

        _bytes.AddRange(bytes);
        return true;
    }

    public void Dispose()
    {
        Assert.False(IsDisposed, "closed twice");
        IsDisposed = true;
    }

    /// <summary>Reads it as Wireshark would.</summary>
    /// <returns>Messages in it.</returns>
    internal int AssertWhole()
    {
        Assert.True(IsDisposed);
        ReadOnlySpan<byte> rest = _bytes.ToArray();
        if (rest.IsEmpty)
        {
            return 0;
        }

        Assert.Equal(0xa1b2c3d4, BinaryPrimitives.ReadUInt32LittleEndian(rest));
        rest = rest[24..];
        int records = 0;
        for (; !rest.IsEmpty; records++)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(rest[8..]);
            Assert.Equal(length, BinaryPrimitives.ReadInt32LittleEndian(rest[12..]));
            ReadOnlySpan<byte> record = rest.Slice(16, length);
            // 16 bytes of ours, and a message whose header has its size
            Assert.Equal(length, 16 + 12 + BinaryPrimitives.ReadInt32LittleEndian(record[24..]));
            rest = rest[(16 + length)..];
        }

        return records;
    }
}
