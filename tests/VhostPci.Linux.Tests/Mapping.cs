// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Linux.Libc;

namespace VhostPci.Linux.Tests;

/// <summary>An origin's own view of a file: a shared mapping.</summary>
internal sealed unsafe class Mapping : IDisposable
{
    private readonly nint _address;
    private readonly int _length;

    public Mapping(int descriptor, int length)
    {
        _length = length;
        _address = LibcMemory.Map(
            0, (nuint)length, LibcConstants.PROT_READ | LibcConstants.PROT_WRITE, LibcConstants.MAP_SHARED, descriptor, 0);
        Assert.NotEqual(LibcMemory.Failed, _address);
    }

    public Span<byte> Bytes => new((void*)_address, _length);

    public void Dispose() => _ = LibcMemory.Unmap(_address, (nuint)_length);
}
