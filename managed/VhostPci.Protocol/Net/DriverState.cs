// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol.Net;

/// <summary>Payload of VHOST_PCI_SET_DRIVER_STATE: what the origin's driver has switched by its control queue.</summary>
/// <param name="Offloads">Those of <see cref="VirtioNetFeatures.GuestOffloads"/> that are on.</param>
/// <param name="Mac">Address of the origin's interface now; zero when not known.</param>
public readonly record struct DriverState(ulong Offloads, MacAddress Mac) : IPayload<DriverState>
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 16;

    private const int MacOffset = 8;
    private const int ReservedOffset = 14;

    static int IPayload<DriverState>.Size => Size;

    /// <summary>Where nothing is defined; 0 in what we send.</summary>
    public ushort Reserved { get; private init; }

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<byte> payload, out DriverState value)
    {
        bool fits = payload.Length == Size;
        value = fits
            ? new DriverState(BinaryPrimitives.ReadUInt64LittleEndian(payload), MacAddress.Read(payload[MacOffset..]))
            {
                Reserved = BinaryPrimitives.ReadUInt16LittleEndian(payload[ReservedOffset..]),
            }
            : default;
        return fits;
    }

    /// <summary>Refuses what no driver can have switched.</summary>
    public Verdict Check()
    {
        ulong unknown = Offloads & ~VirtioNetFeatures.GuestOffloads;
        if (unknown != 0)
            return Verdict.Refuse($"0x{unknown:x} in a driver state is no offload of a guest's");
        if (Mac.IsMulticast)
            return Verdict.Refuse($"driver state with {Mac}, which is a group's address");
        return Reserved == 0 ? Verdict.Ok : Verdict.Refuse($"driver state with 0x{Reserved:x} where nothing is defined");
    }

    /// <summary>Writes the payload.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Offloads);
        Mac.Write(destination[MacOffset..]);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[ReservedOffset..], 0);
    }
}
