// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol.Net;

/// <summary>Payload of SEND_RARP: a MAC address in the first 6 bytes of a u64.</summary>
public static class RarpPayload
{
    /// <summary>Reads the payload; an address that no station can have is refused.</summary>
    public static Verdict Parse(ReadOnlySpan<byte> payload, out MacAddress mac)
    {
        if (!MacAddress.TryParse(payload, out mac) || mac.IsZero || mac.IsMulticast)
            return Verdict.Refuse($"SEND_RARP for {mac}");
        return Verdict.Ok;
    }

    /// <summary>Writes the payload.</summary>
    /// <param name="destination"><see cref="U64Payload.Size"/> bytes.</param>
    /// <param name="mac">The address.</param>
    public static void Write(Span<byte> destination, MacAddress mac)
    {
        destination[..U64Payload.Size].Clear();
        mac.Write(destination);
    }
}
