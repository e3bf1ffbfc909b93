// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>A descriptor in the server's hands: counted from arrival to its one close.</summary>
internal sealed class MemoryFile(MemoryPorts ports, FileKind kind) : IPeerFile
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
        AssertOpen();
        value = IPorts.Content(offset);
        return offset <= IPorts.MemorySize - sizeof(ushort);
    }

    // Only packed rings are read or written otherwise, and there are none here.
    public bool TryRead(ulong offset, Span<byte> destination) => throw new NotSupportedException();

    public bool TryWrite(ulong offset, ulong length, ReadOnlySpan<(uint At, ushort Value)> words) => throw new NotSupportedException();

    public bool TryFindHole(ulong offset, ulong length, out ulong hole) => throw new NotSupportedException();

    public void Dispose() => ports.Close(_number);

    private void AssertOpen() => Assert.True(ports.IsOpen(_number), "used after it was closed");
}
