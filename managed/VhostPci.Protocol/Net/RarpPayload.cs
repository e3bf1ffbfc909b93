// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Net;

/// <summary>Payload of SEND_RARP: a MAC address in the first 6 bytes of a u64.</summary>
/// <param name="Mac">The address.</param>
public readonly record struct RarpPayload(MacAddress Mac) : IPayload<RarpPayload>
{
    static int IPayload<RarpPayload>.Size => U64Payload.Size;

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<byte> payload, out RarpPayload value)
    {
        bool fits = payload.Length == U64Payload.Size;
        value = fits ? new RarpPayload(MacAddress.Read(payload)) : default;
        return fits;
    }

    /// <summary>Refuses an address that no station can have.</summary>
    public Verdict Check() => Mac.IsZero || Mac.IsMulticast ? Verdict.Refuse($"SEND_RARP for {Mac}") : Verdict.Ok;

    /// <summary>Writes the payload.</summary>
    /// <param name="destination"><see cref="U64Payload.Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination[..U64Payload.Size].Clear();
        Mac.Write(destination);
    }
}
