// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A window that only writes down what is laid into it.</summary>
internal sealed class MemoryWindow(MemoryPorts ports, ulong size) : IWindow
{
    private readonly List<(ulong At, ulong Length)> _mapped = [];
    private bool _disposed;

    public nint Address => 0x4000_0000;

    public ulong Size => size;

    public ulong MappedBytes { get; private set; }

    public bool TryMap(ulong at, IPeerFile file, ulong offset, ulong length, out string error)
    {
        Assert.False(_disposed);
        Assert.Equal(FileKind.Memory, Assert.IsType<MemoryFile>(file).Kind);
        Assert.True(file.Descriptor > 0);
        Assert.NotEqual(0UL, length);
        Assert.Equal(0UL, (at | offset | length) % 4096);
        Assert.True((UInt128)at + length <= size);
        Assert.True((UInt128)offset + length <= IPorts.MemorySize);
        foreach ((ulong start, ulong other) in _mapped)
        {
            Assert.True(at >= start + other || start >= at + length, "laid over what is shown");
        }

        _mapped.Add((at, length));
        MappedBytes += length;
        error = string.Empty;
        return true;
    }

    public ushort ReadUInt16(ulong at) => throw new NotSupportedException();

    public bool TryReplaceUInt16(ulong at, ushort old, ushort value) => throw new NotSupportedException();

    public bool HasPages(ulong at, ulong length) => throw new NotSupportedException();

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
}
