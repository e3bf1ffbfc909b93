// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace VhostPci.Protocol.Net;

/// <summary>Payload of VHOST_PCI_SET_DRIVER_STATE: what the origin's driver has switched by its control queue.</summary>
/// <param name="Offloads">Those of <see cref="VirtioNetFeatures.GuestOffloads"/> that are on.</param>
/// <param name="Mac">Address of the origin's interface now; zero when not known.</param>
public readonly record struct DriverState(ulong Offloads, MacAddress Mac)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Size = 16;

    private const int MacOffset = 8;
    private const int ReservedOffset = 14;

    /// <summary>Reads and checks the payload.</summary>
    public static Verdict Parse(ReadOnlySpan<byte> payload, out DriverState state)
    {
        state = default;
        if (payload.Length != Size)
            return Verdict.Refuse($"driver state of {payload.Length} bytes instead of {Size}");

        ulong offloads = BinaryPrimitives.ReadUInt64LittleEndian(payload);
        if ((offloads & ~VirtioNetFeatures.GuestOffloads) != 0)
            return Verdict.Refuse($"0x{offloads & ~VirtioNetFeatures.GuestOffloads:x} in a driver state is no offload of a guest's");

        _ = MacAddress.TryParse(payload[MacOffset..], out MacAddress mac);
        if (mac.IsMulticast)
            return Verdict.Refuse($"driver state with {mac}, which is a group's address");

        ushort reserved = BinaryPrimitives.ReadUInt16LittleEndian(payload[ReservedOffset..]);
        if (reserved != 0)
            return Verdict.Refuse($"driver state with 0x{reserved:x} where nothing is defined");

        state = new DriverState(offloads, mac);
        return Verdict.Ok;
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
