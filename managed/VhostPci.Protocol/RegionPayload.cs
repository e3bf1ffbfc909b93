// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol;

/// <summary>The payload of ADD_MEM_REG and REM_MEM_REG: padding, which may hold anything, and one region.</summary>
/// <param name="Region">The region, unchecked.</param>
public readonly record struct RegionPayload(MemoryRegion Region) : IPayload<RegionPayload>
{
    static int IPayload<RegionPayload>.Size => MemoryPayload.SingleSize;

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<byte> payload, out RegionPayload value)
    {
        bool fits = payload.Length == MemoryPayload.SingleSize;
        value = fits ? new RegionPayload(MemoryRegion.Read(payload[(MemoryPayload.SingleSize - MemoryRegion.Size)..])) : default;
        return fits;
    }

    /// <inheritdoc/>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, 0);
        Region.Write(destination[(MemoryPayload.SingleSize - MemoryRegion.Size)..]);
    }
}
