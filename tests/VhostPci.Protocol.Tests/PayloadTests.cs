// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using VhostPci.Protocol.Net;

namespace VhostPci.Protocol.Tests;

public sealed class PayloadTests
{
    [Fact]
    public void EveryOtherLengthIsRefused()
    {
        byte[] buffer = new byte[512];
        for (int length = 0; length <= buffer.Length; length++)
        {
            ReadOnlySpan<byte> payload = buffer.AsSpan(0, length);
            Assert.Equal(length == 8, U64Payload.TryParse(payload, out _));
            Assert.Equal(length == 8, VringState.TryParse(payload, out _));
            Assert.Equal(length == 8, VringFile.TryParse(payload, out _));
            Assert.Equal(length == 40, VringAddress.TryParse(payload, out _));
            Assert.Equal(length == 40, RegionPayload.TryParse(payload, out _));
            Assert.Equal(length == DeviceInfo.Size, DeviceInfo.TryParse(payload, out _));
            Assert.Equal(length == DriverState.Size, DriverState.TryParse(payload, out _));
            Assert.Equal(length == 8, RarpPayload.TryParse(payload, out _));
            Assert.False(MemoryPayload.TryParseTable(payload, new MemoryRegion[8], out int count));
            Assert.Equal(0, count);
            Assert.False(Samples.Parse(payload, out _).IsOk);
        }
    }

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        byte[] buffer = new byte[512];
        var state = new VringState(0x11223344, 0x55667788);
        state.Write(buffer);
        Assert.True(VringState.TryParse(buffer.AsSpan(0, VringState.Size), out VringState stateBack));
        Assert.Equal(state, stateBack);

        var address = new VringAddress(1, 2, 3UL << 32, 4UL << 32, 5UL << 32, 6UL << 32);
        address.Write(buffer);
        Assert.True(VringAddress.TryParse(buffer.AsSpan(0, VringAddress.Size), out VringAddress addressBack));
        Assert.Equal(address, addressBack);

        foreach (var file in (VringFile[])[new(0, true), new(255, false), new(7, true)])
        {
            file.Write(buffer);
            Assert.True(VringFile.TryParse(buffer.AsSpan(0, VringFile.Size), out VringFile fileBack));
            Assert.Equal(file, fileBack);
        }

        MemoryRegion[] regions = [.. Enumerable.Range(1, 8).Select(static n => new MemoryRegion((ulong)n << 40, (ulong)n << 12, (ulong)n << 50, (ulong)n))];
        for (int number = 1; number <= regions.Length; number++)
        {
            int size = MemoryPayload.WriteTable(buffer, regions.AsSpan(0, number));
            Assert.True(MemoryPayload.TryParseTable(buffer.AsSpan(0, size), new MemoryRegion[8], out int count));
            Assert.Equal(number, count);
            Assert.False(MemoryPayload.TryParseTable(buffer.AsSpan(0, size - 1), new MemoryRegion[8], out _));
            Assert.False(MemoryPayload.TryParseTable(buffer.AsSpan(0, size + 1), new MemoryRegion[8], out _));
            if (number > 1)
                Assert.False(MemoryPayload.TryParseTable(buffer.AsSpan(0, size), new MemoryRegion[number - 1], out _));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryPayload.WriteTable(buffer, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryPayload.WriteTable(buffer, new MemoryRegion[9]));
    }

    [Theory]
    [InlineData(0x0000UL, true, 0u, true)]
    [InlineData(0x00ffUL, true, 255u, true)]
    [InlineData(0x0103UL, true, 3u, false)]
    [InlineData(0x0200UL, false, 0u, false)]
    [InlineData(0x8000000000000000UL, false, 0u, false)]
    public void VringFileBits(ulong value, bool valid, uint index, bool hasDescriptor)
    {
        byte[] buffer = new byte[8];
        new U64Payload(value).Write(buffer);
        Assert.Equal(valid, VringFile.TryParse(buffer, out VringFile file));
        Assert.Equal(valid ? new VringFile(index, hasDescriptor) : default, file);
    }

    [Fact]
    public void DeviceInfoSurvivesTheWire()
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        buffer.AsSpan().Fill(0xff);
        Samples.Info.Write(buffer);
        Assert.True(Samples.Parse(buffer, out DeviceInfo back).IsOk);
        Assert.Equal(Samples.Info, back);
        // RFC 4122 order, as QEMU has it
        Assert.Equal("00112233445566778899AABBCCDDEEFF", Convert.ToHexString(buffer, 8, 16));
    }

    [Theory]
    [InlineData(0, 2, "version")]
    [InlineData(6, 0, "queue pairs")]
    [InlineData(24, 0x53, "group address")]
    public void DeviceInfoWithAWrongFieldIsRefused(int offset, byte value, string reason)
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        Samples.Info.Write(buffer);
        buffer[offset] = value;
        Assert.Contains(reason, Samples.Parse(buffer, out _).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void DeviceInfoOfAnyKindOfDeviceIsRead()
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        (Samples.Info with { DeviceId = 2 }).Write(buffer);
        Assert.True(Samples.Parse(buffer, out DeviceInfo info).IsOk);
        Assert.Equal(2, info.DeviceId);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    [InlineData(67, false)]
    [InlineData(68, true)]
    [InlineData(65535, true)]
    public void DeviceInfoMtu(ushort mtu, bool accepted)
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        (Samples.Info with { Mtu = mtu }).Write(buffer);
        Assert.Equal(accepted, Samples.Parse(buffer, out _).IsOk);
    }

    [Fact]
    public void DeviceInfoWithoutMemoryIsRefused()
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        (Samples.Info with { MemoryEnd = 0 }).Write(buffer);
        Assert.False(Samples.Parse(buffer, out _).IsOk);
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a\nb\u001b[31m", "a?b?[31m")]
    [InlineData("r\u202eev\u2028x\ue000", "r?ev?x?")]
    [InlineData("nötig 网卡 🖧", "nötig 网卡 🖧")]
    [InlineData("tag\U000e0041 private\U000f0000", "tag? private?")]
    [InlineData("\0hidden", "")]
    public void NameIsMadeFitToBeShown(string sent, string shown)
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        (Samples.Info with { Name = sent }).Write(buffer);
        Assert.True(Samples.Parse(buffer, out DeviceInfo info).IsOk);
        Assert.Equal(shown, info.Name);
    }

    [Fact]
    public void NameOfAnyBytesIsShownSomehow()
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        for (int seed = 0; seed < 1000; seed++)
        {
            Samples.Info.Write(buffer);
            new Random(seed).NextBytes(buffer.AsSpan(40));
            Assert.True(Samples.Parse(buffer, out DeviceInfo info).IsOk);
            Assert.DoesNotContain(info.Name, char.IsControl);
        }
    }

    [Fact]
    public void LongNameIsCutAtACharacter()
    {
        byte[] buffer = new byte[DeviceInfo.Size];
        (Samples.Info with { Name = new string('x', 63) + "é" }).Write(buffer);
        Assert.True(Samples.Parse(buffer, out DeviceInfo info).IsOk);
        Assert.Equal(new string('x', 63), info.Name);
        Assert.Equal(DeviceInfo.NameSize, Encoding.UTF8.GetByteCount(info.Name) + 1);
    }

    [Theory]
    [InlineData(0u, false)]
    [InlineData(1u, true)]
    [InlineData(3u, false)]
    [InlineData(256u, true)]
    [InlineData(32768u, true)]
    [InlineData(65536u, false)]
    [InlineData(0x80000000u, false)]
    [InlineData(uint.MaxValue, false)]
    public void RingSizes(uint entries, bool accepted) => Assert.Equal(accepted, RingLayout.CheckEntries(entries, packed: false).IsOk);

    [Fact]
    public void RingAreasAreThoseOfTheSpecification()
    {
        // virtio 1.2, 2.7: 16 * n, 6 + 2 * n, 6 + 8 * n; without event index 2 less
        Assert.Equal((4096UL, 518UL, 2054UL), Areas(new RingLayout(256, true)));
        Assert.Equal((4096UL, 516UL, 2052UL), Areas(new RingLayout(256, false)));
        Assert.Equal((524288UL, 65542UL, 262150UL), Areas(new RingLayout(RingLayout.MaxEntries, true)));
        Assert.Equal((16u, 2u, 4u), (RingLayout.DescAlignment, new RingLayout(256, true).AvailAlignment, RingLayout.UsedAlignment));

        static (ulong, ulong, ulong) Areas(RingLayout layout) => (layout.DescSize, layout.AvailSize, layout.UsedSize);
    }

    [Fact]
    public void MirrorAddressIsLocalUnicastAndStable()
    {
        for (int seed = 0; seed < 1000; seed++)
        {
            byte[] bytes = new byte[MacAddress.Size];
            new Random(seed).NextBytes(bytes);
            MacAddress origin = Samples.Mac(bytes);
            MacAddress mirror = origin.ToMirror();
            Assert.True(mirror is { IsLocal: true, IsMulticast: false, IsZero: false });
            Assert.Equal(mirror, Samples.Mac(bytes).ToMirror());
            mirror.Write(bytes);
            Assert.Equal(mirror, Samples.Mac(bytes));
        }

        MacAddress usual = Samples.Mac(0x52, 0x54, 0, 0, 0, 1);
        Assert.Equal("52:54:00:00:00:01", usual.ToString());
        Assert.Equal("56:50:8a:14:27:76", usual.ToMirror().ToString());
        Assert.Throws<ArgumentOutOfRangeException>(() => MacAddress.Read([1, 2, 3, 4, 5]));
    }

    [Fact]
    public void OriginsOfOneVendorGetDistinctMirrorAddresses()
    {
        var seen = new HashSet<MacAddress>();
        byte[] bytes = [0x52, 0x54, 0, 0, 0, 0];
        for (int number = 0; number < 1 << 18; number++)
        {
            // The range of QEMU and libvirt and all beside it, in steps that reach every byte.
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(2), unchecked((uint)number * 0x10001));
            Assert.True(seen.Add(Samples.Mac(bytes).ToMirror()));
        }
    }

    [Fact]
    public void StepsOfOneOriginAreDistinct()
    {
        var seen = new HashSet<MacAddress>();
        for (int step = 0; step <= ushort.MaxValue; step++)
        {
            Assert.True(seen.Add(Samples.Mac(0x52, 0x54, 0, 0, 0, 1).ToMirror(step)));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => default(MacAddress).ToMirror(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => default(MacAddress).ToMirror(ushort.MaxValue + 1));
    }

    // A bridge learns where an address is by its frames: neighbours that differ in one bit are as good as any.
    [Fact]
    public void TheAddressOfOneOriginIsNotThatOfAnother128Further()
    {
        MacAddress near = Samples.Mac(0x52, 0x54, 0, 0, 0, 1);
        MacAddress far = Samples.Mac(0x52, 0x54, 0, 0, 0, 0x81);
        Assert.Equal(4, new HashSet<MacAddress> { near, far, near.ToMirror(), far.ToMirror() }.Count);
    }
}
