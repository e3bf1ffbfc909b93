// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>The RARP request with which a host announces where an address is (RFC 903).</summary>
internal static class RarpFrame
{
    private const int SenderOffset = 6;
    private const int EtherTypeOffset = 12;
    private const int Size = 42;
    private const ushort EtherType = 0x8035;

    internal static bool TryGetSender(ReadOnlySpan<byte> frame, out MacAddress mac)
    {
        bool isRarp = frame.Length >= Size && BinaryPrimitives.ReadUInt16BigEndian(frame[EtherTypeOffset..]) == EtherType;
        mac = isRarp ? MacAddress.Read(frame[SenderOffset..]) : default;
        return isRarp;
    }
}
