// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Linux.Memory;
using VhostPci.Testing;

namespace VhostPci.Linux.Tests;

/// <summary>Peers' memory in a window, and its withdrawal.</summary>
public sealed class WindowTests : IDisposable
{
    private const ulong Mega = 1 << 20;
    private const ulong WindowSize = 64 * Mega;
    private readonly IWindow _window;
    private readonly Descriptor _memory = MemoryFile.Create("test", 4 * Mega, sealShrink: true);
    private readonly Mapping _origin;
    private readonly PeerFile _file;

    public WindowTests()
    {
        Assert.True(new WindowFactory().TryReserve(WindowSize, out IWindow? window, out string error), error);
        _window = window;
        _file = new PeerFile(Descriptor.Duplicate(_memory.Number)!);
        _origin = new Mapping(_memory.Number, (int)(4 * Mega));
    }

    public void Dispose()
    {
        _window.Dispose();
        _origin.Dispose();
        _file.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void NewWindowReadsZeroAndCanBeWritten()
    {
        Assert.Equal(WindowSize, _window.Size);
        Assert.Equal(0UL, _window.MappedBytes);
        Assert.Equal(0, Byte(0));
        Assert.Equal(0, Byte(WindowSize - 1));
        Byte(17 * Mega) = 1;
        Assert.Equal(1, Byte(17 * Mega));
    }

    [Theory]
    [InlineData(1UL << 30, 1UL << 30)]
    [InlineData(1UL << 32, 1UL << 30)]
    [InlineData(1UL << 26, 1UL << 21)]
    public void AddressIsAlignedForLargePages(ulong size, ulong alignment)
    {
        Assert.True(new WindowFactory().TryReserve(size, out IWindow? window, out string error), error);
        using (window)
        {
            Assert.Equal(0UL, (ulong)window.Address % alignment);
            Assert.True(IsMappedWithoutHole(window.Address, size));
        }
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(4096UL)]
    [InlineData(3 * Mega)]
    [InlineData(1UL << 62)]
    [InlineData(1UL << 63)]
    public void ImpossibleSizesAreRefusedWithAReason(ulong size)
    {
        Assert.False(new WindowFactory().TryReserve(size, out IWindow? window, out string error));
        Assert.Null(window);
        Assert.NotEqual("", error);
    }

    [Fact]
    public void MoreThanTheAddressSpaceIsRefusedWithTheWayOut()
    {
        Assert.False(new WindowFactory().TryReserve(1UL << 47, out IWindow? window, out string error));
        Assert.Null(window);
        Assert.Contains("slot-size=", error, StringComparison.Ordinal);
    }

    [Fact]
    public void BothSidesSeeTheSameBytes()
    {
        Map(at: 8 * Mega, offset: Mega, length: 2 * Mega);

        _origin.Bytes[(int)Mega] = 0xa5;
        Assert.Equal(0xa5, Byte(8 * Mega));
        Byte(10 * Mega - 1) = 0x5a;
        Assert.Equal(0x5a, _origin.Bytes[(int)(3 * Mega) - 1]);
        Assert.Equal(2 * Mega, _window.MappedBytes);
        Byte(10 * Mega) = 1;
        Assert.Equal(0, _origin.Bytes[(int)(3 * Mega)]);
    }

    [Fact]
    public void MappingOutlivesTheDescriptor()
    {
        Map(0, 0, Mega);
        _file.Dispose();
        _origin.Bytes[5] = 7;
        Assert.Equal(7, Byte(5));
    }

    [Fact]
    public void ClearTakesEverythingAway()
    {
        Map(0, 0, Mega);
        Map(4 * Mega, Mega, Mega);
        _origin.Bytes.Fill(0xff);
        Byte(32 * Mega) = 1;
        nint address = _window.Address;

        _window.Clear();

        Assert.Equal(address, _window.Address);
        Assert.Equal(0UL, _window.MappedBytes);
        Assert.Equal(0, Byte(0));
        Assert.Equal(0, Byte(4 * Mega));
        Assert.Equal(0, Byte(32 * Mega));
        Byte(0) = 1;
        Assert.Equal(0xff, _origin.Bytes[0]);
        Map(0, 0, Mega);
        Assert.Equal(0xff, Byte(0));
    }

    [Fact]
    public void ClearedMemoryIsNoLongerMappedAnywhereInTheWindow()
    {
        Map(0, 0, Mega);
        Assert.Contains(Maps(), IsPeerMapping);

        _window.Clear();

        Assert.DoesNotContain(Maps(), IsPeerMapping);
    }

    [Theory]
    [InlineData(0UL, 0UL, 0UL)]
    [InlineData(WindowSize, 0UL, 4096UL)]
    [InlineData(WindowSize - 4096, 0UL, 8192UL)]
    [InlineData(ulong.MaxValue - 4095, 0UL, 8192UL)]
    [InlineData(0UL, 0UL, ulong.MaxValue - 4095)]
    [InlineData(0UL, 0x7ffffffffffff000UL, 4096UL)]
    [InlineData(0UL, ulong.MaxValue - 4095, 4096UL)]
    [InlineData(1UL, 0UL, 4096UL)]
    [InlineData(0UL, 1UL, 4096UL)]
    [InlineData(0UL, 0UL, 4097UL)]
    public void OutsideOrUnalignedIsRefused(ulong at, ulong offset, ulong length)
    {
        Assert.False(_window.TryMap(at, _file, offset, length, out string error));
        Assert.NotEqual("", error);
        Assert.Equal(0UL, _window.MappedBytes);
        Assert.DoesNotContain(Maps(), IsPeerMapping);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(Mega - 4096)]
    [InlineData(2 * Mega - 4096)]
    public void OverlapIsRefused(ulong at)
    {
        Map(Mega - 4096 * (at == 0 ? 255UL : 0), 0, Mega);
        Assert.False(_window.TryMap(at, _file, 0, 8192, out string error));
        Assert.Contains("overlap", error, StringComparison.Ordinal);
        Assert.Equal(Mega, _window.MappedBytes);
    }

    [Fact]
    public void WhatCannotBeMappedLeavesNoHole()
    {
        using var notMappable = new PeerFile(EventDescriptor.Create());
        Byte(0) = 1;

        Assert.False(_window.TryMap(0, notMappable, 0, Mega, out string error));

        Assert.NotEqual("", error);
        Assert.Equal(0, Byte(0));
        Assert.True(IsMappedWithoutHole(_window.Address, WindowSize));
    }

    [Fact]
    public void WindowIsKeptOutOfCoreDumps()
    {
        Map(Mega, 0, Mega);
        Assert.True(AllFlagged(_window.Address, "dd"));
        _window.Clear();
        Assert.True(AllFlagged(_window.Address, "dd"));
    }

    [Fact]
    public void DisposedWindowHasNoAddress()
    {
        Assert.True(new WindowFactory().TryReserve(Mega, out IWindow? window, out _));
        Assert.True(IsMappedWithoutHole(window.Address, Mega));

        window.Dispose();
        window.Dispose();

        Assert.Throws<ObjectDisposedException>(() => window.Address);
        Assert.Throws<ObjectDisposedException>(() => window.Clear());
        Assert.Throws<ObjectDisposedException>(() => window.TryMap(0, _file, 0, 4096, out _));
    }

    [Fact]
    public void ThousandRoundsLeaveDescriptorsAndMappingsAsTheyWere()
    {
        Map(0, 0, Mega);
        _window.Clear();
        int descriptors = OpenDescriptors.Count();
        int mappings = Maps().Count;
        for (int round = 0; round < 1000; round++)
        {
            for (ulong region = 0; region < 4; region++)
                Map(2 * region * Mega, region * Mega, Mega);
            _window.Clear();
        }

        Assert.Equal(descriptors, OpenDescriptors.Count());
        Assert.InRange(Maps().Count, 0, mappings + 8);
    }

    private unsafe ref byte Byte(ulong at) => ref *(byte*)(_window.Address + (nint)at);

    private void Map(ulong at, ulong offset, ulong length)
        => Assert.True(_window.TryMap(at, _file, offset, length, out string error), error);

    private bool IsPeerMapping((ulong Start, ulong End, string Name) map)
        => map.Start >= (ulong)_window.Address && map.End <= (ulong)_window.Address + WindowSize
            && map.Name.Contains("memfd:", StringComparison.Ordinal);

    private static List<(ulong Start, ulong End, string Name)> Maps()
        => [.. File.ReadAllLines("/proc/self/maps").Select(static line =>
        {
            string[] range = line[..line.IndexOf(' ', StringComparison.Ordinal)].Split('-');
            return (Convert.ToUInt64(range[0], 16), Convert.ToUInt64(range[1], 16), line);
        })];

    private static bool IsMappedWithoutHole(nint address, ulong size)
    {
        ulong end = (ulong)address;
        foreach ((ulong start, ulong stop, _) in Maps())
        {
            if (start <= end && end < stop)
                end = stop;
        }

        return end >= (ulong)address + size;
    }

    private static bool AllFlagged(nint address, string flag)
    {
        bool inside = false;
        bool all = true;
        int seen = 0;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            int dash = line.IndexOf('-', StringComparison.Ordinal);
            if (dash is > 7 and < 17 && ulong.TryParse(line[..dash], System.Globalization.NumberStyles.HexNumber, null, out ulong start))
            {
                inside = start >= (ulong)address && start < (ulong)address + WindowSize;
            }
            else if (inside && line.StartsWith("VmFlags:", StringComparison.Ordinal))
            {
                seen++;
                all &= line.Split(' ').Contains(flag);
            }
        }

        return all && seen > 0;
    }
}
