// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A descriptor in the server's hands: counted from arrival to its one close.</summary>
internal sealed class MemoryFile(MemoryPorts ports, FileKind kind, Contents contents) : IPeerFile
{
    private readonly int _number = ports.Open(kind);

    public int Descriptor
    {
        get
        {
            AssertOpen();
            return _number;
        }
    }

    public bool IsEventDescriptor
    {
        get
        {
            AssertOpen();
            return kind == FileKind.Event;
        }
    }

    internal FileKind Kind => kind;

    internal Contents Contents => contents;

    public PeerFileFacts GetFacts()
    {
        AssertOpen();
        return new PeerFileFacts(
            IsMemoryFile: kind is FileKind.Memory or FileKind.Unsealed or FileKind.ReadOnly,
            IsReadWrite: kind != FileKind.ReadOnly,
            IsShrinkSealed: kind is FileKind.Memory or FileKind.ReadOnly,
            Size: IPorts.MemorySize,
            PageSize: 4096);
    }

    public void SetNonBlocking() => AssertOpen();

    public bool TryReadUInt16(ulong offset, out ushort value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        bool read = TryRead(offset, bytes);
        value = BitConverter.ToUInt16(bytes);
        return read;
    }

    public bool TryRead(ulong offset, Span<byte> destination)
    {
        AssertOpen();
        if ((UInt128)offset + (ulong)destination.Length > IPorts.MemorySize)
        {
            return false;
        }

        contents.Read(offset, destination);
        return true;
    }

    public bool TryWrite(ulong offset, ulong length, ReadOnlySpan<(uint At, ushort Value)> words)
    {
        AssertOpen();
        Assert.True(offset % sizeof(ushort) == 0 && (UInt128)offset + length <= IPorts.MemorySize);
        foreach ((uint at, ushort value) in words)
        {
            Assert.True(at % sizeof(ushort) == 0 && at + (ulong)sizeof(ushort) <= length);
            contents[offset + at] = value;
        }

        return true;
    }

    public bool TryFindHole(ulong offset, ulong length, out ulong hole)
    {
        AssertOpen();
        hole = 0;
        return false;
    }

    public void Dispose() => ports.Close(_number);

    private void AssertOpen() => Assert.True(ports.IsOpen(_number), "used after it was closed");
}
