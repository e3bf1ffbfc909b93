// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A window that writes down what is laid into it.</summary>
internal sealed class MemoryWindow(MemoryPorts ports, ulong size) : IWindow
{
    private readonly List<(ulong At, ulong Length, Contents Contents, ulong Offset)> _mapped = [];
    private bool _disposed;

    public nint Address => 0x4000_0000;

    public ulong Size => size;

    public ulong MappedBytes { get; private set; }

    public bool TryMap(ulong at, IPeerFile file, ulong offset, ulong length, out string error)
    {
        Assert.False(_disposed);
        MemoryFile memory = Assert.IsType<MemoryFile>(file);
        Assert.Equal(FileKind.Memory, memory.Kind);
        Assert.True(file.Descriptor > 0);
        Assert.NotEqual(0UL, length);
        Assert.Equal(0UL, (at | offset | length) % 4096);
        Assert.True((UInt128)at + length <= size);
        Assert.True((UInt128)offset + length <= IPorts.MemorySize);
        foreach ((ulong start, ulong other, _, _) in _mapped)
        {
            Assert.True(at >= start + other || start >= at + length, "laid over what is shown");
        }

        _mapped.Add((at, length, memory.Contents, offset));
        MappedBytes += length;
        error = string.Empty;
        return true;
    }

    public ushort ReadUInt16(ulong at)
    {
        (Contents contents, ulong offset) = Find(at, sizeof(ushort));
        return contents[offset];
    }

    public bool TryReplaceUInt16(ulong at, ushort old, ushort value)
    {
        (Contents contents, ulong offset) = Find(at, sizeof(ushort));
        if (contents[offset] != old)
        {
            return false;
        }

        contents[offset] = value;
        return true;
    }

    public bool HasPages(ulong at, ulong length)
    {
        _ = Find(at, length);
        return true;
    }

    public void Clear()
    {
        Assert.False(_disposed);
        _mapped.Clear();
        MappedBytes = 0;
    }

    public void Dispose()
    {
        Assert.False(_disposed);
        Assert.Equal(0UL, MappedBytes);
        _disposed = true;
        ports.Unreserve();
    }

    private (Contents Contents, ulong Offset) Find(ulong at, ulong length)
    {
        Assert.False(_disposed);
        Assert.True(at % sizeof(ushort) == 0);
        foreach ((ulong start, ulong mapped, Contents contents, ulong offset) in _mapped)
        {
            if (at >= start && (UInt128)at + length <= (UInt128)start + mapped)
            {
                return (contents, offset + (at - start));
            }
        }

        throw new InvalidOperationException($"nothing is shown at 0x{at:x}");
    }
}
