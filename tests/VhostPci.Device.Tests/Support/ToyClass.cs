// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Classes;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Support;

/// <summary>A device class that is nothing like net: rings that run one by one, and a field that the guest may write.</summary>
internal sealed class ToyClass : DeviceClass
{
    internal const ushort Id = 42;
    internal const ulong Blink = 1UL << 3;
    internal const int LevelAt = 0;
    internal const int GroupsAt = 4;

    internal override ushort VirtioId => Id;

    internal override int RingsPerGroup => 1;

    internal override ulong Offered => VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures | Blink;

    internal override ulong Required => VirtioFeatures.Version1;

    internal override RequestTable Requests { get; } = new(CommonRequests.Rows);

    internal override int PartSize => 8;

    protected override IReadOnlyList<(ulong Bit, string Name)> Names => [(Blink, "blink")];

    internal override string DescribeRing(int ring) => ring == 0 ? "toy's work" : "toy's play";

    internal override OriginPart CreateOriginPart() => new ToyOriginPart();

    internal override DevicePart CreateDevicePart(IClassDevice device) => new ToyDevicePart();
}

internal sealed class ToyOriginPart : OriginPart
{
    internal override Verdict Handle(Request request, IClassSession session, out bool changed)
        => throw new InvalidOperationException("a toy has no requests of its own");
}

internal sealed class ToyDevicePart : DevicePart
{
    private const uint Loudest = 100;

    internal uint Level { get; private set; }

    internal override void Write(Span<byte> part, int groups)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(part[ToyClass.LevelAt..], Level);
        BinaryPrimitives.WriteUInt32LittleEndian(part[ToyClass.GroupsAt..], (uint)groups);
    }

    internal override bool Take(ReadOnlySpan<byte> written, Span<byte> part)
    {
        uint level = BinaryPrimitives.ReadUInt32LittleEndian(written[ToyClass.LevelAt..]);
        if (level > Loudest || level == Level)
        {
            return false;
        }

        Level = level;
        BinaryPrimitives.WriteUInt32LittleEndian(part[ToyClass.LevelAt..], level);
        return true;
    }
}
