// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.Win32.SafeHandles;
using VhostPci.Device.Ports;
using VhostPci.Linux.Files;
using VhostPci.Testing;

namespace VhostPci.Linux.Tests;

/// <summary>What is recognised as memory, as an eventfd, and as neither.</summary>
public sealed class PeerFileTests
{
    private const ulong Size = 3 << 20;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void MemfdIsMemoryAndItsSealIsSeen(bool sealed_)
    {
        using var file = new PeerFile(MemoryFile.Create("test", Size, sealed_));

        Assert.Equal(new PeerFileFacts(true, true, sealed_, Size, (ulong)Environment.SystemPageSize), file.GetFacts());
        Assert.False(file.IsEventDescriptor);
    }

    [Fact]
    public void HugePagesTellTheirSize()
    {
        Descriptor huge;
        try
        {
            huge = MemoryFile.Create("huge", 0, sealShrink: true, hugePages: true);
        }
        catch (IOException e)
        {
            Assert.Skip($"no hugetlbfs memfd here: {e.Message}");
            return;
        }

        using var file = new PeerFile(huge);
        PeerFileFacts facts = file.GetFacts();
        Assert.True(facts is { IsMemoryFile: true, IsReadWrite: true, IsShrinkSealed: true });
        string line = File.ReadLines("/proc/meminfo").Single(static l => l.StartsWith("Hugepagesize:", StringComparison.Ordinal));
        Assert.Equal(ulong.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], null) * 1024, facts.PageSize);
    }

    [Fact]
    public void FileInSharedMemoryIsMemoryAndUnsealed()
    {
        if (!Directory.Exists("/dev/shm") || new DriveInfo("/dev/shm").DriveFormat != "tmpfs")
            Assert.Skip("/dev/shm is not a tmpfs here");
        using TemporaryFile temporary = new("/dev/shm", FileAccess.ReadWrite);

        Assert.True(temporary.Peer.GetFacts() is { IsMemoryFile: true, IsReadWrite: true, IsShrinkSealed: false });
    }

    [Fact]
    public void ReadOnlyFileIsSeen()
    {
        if (!Directory.Exists("/dev/shm"))
            Assert.Skip("no /dev/shm here");
        using TemporaryFile temporary = new("/dev/shm", FileAccess.Read);

        Assert.False(temporary.Peer.GetFacts().IsReadWrite);
    }

    [Fact]
    public void FileOnDiskIsNoMemory()
    {
        if (IsOnTmpfs(AppContext.BaseDirectory))
            Assert.Skip("the tests themselves are on a tmpfs here");
        using TemporaryFile temporary = new(AppContext.BaseDirectory, FileAccess.ReadWrite);

        Assert.False(temporary.Peer.GetFacts().IsMemoryFile);
    }

    private static bool IsOnTmpfs(string path)
    {
        try
        {
            return new DriveInfo(path).DriveFormat == "tmpfs";
        }
        catch (DriveNotFoundException)
        {
            // In a chroot the list of mounts does not tell; a folder of sources is on a disk then.
            return false;
        }
    }

    [Fact]
    public void SocketIsNeither()
    {
        (Sockets.Channel left, Sockets.Channel right) = SocketPair.Create();
        using (left)
        using (right)
        using (var file = new PeerFile(Descriptor.Duplicate(left.Descriptor)!))
        {
            Assert.False(file.GetFacts().IsMemoryFile);
            Assert.False(file.IsEventDescriptor);
            Assert.False(file.TryReadUInt16(0, out _));
        }
    }

    [Theory]
    [InlineData("/dev/zero")]
    [InlineData("/dev/null")]
    [InlineData("/proc/self/mem")]
    public void SpecialFilesAreNeither(string path)
    {
        using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        using var file = new PeerFile(Descriptor.Duplicate((int)handle.DangerousGetHandle())!);

        Assert.False(file.GetFacts().IsMemoryFile);
        Assert.False(file.IsEventDescriptor);
    }

    [Fact]
    public void FileCalledLikeAnEventDescriptorIsNone()
    {
        string folder = Directory.CreateTempSubdirectory("vhost-pci-").FullName;
        string path = Path.Combine(folder, "anon_inode:[eventfd]");
        using (SafeFileHandle handle = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite))
        using (var file = new PeerFile(Descriptor.Duplicate((int)handle.DangerousGetHandle())!))
            Assert.False(file.IsEventDescriptor);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void EventDescriptorIsRecognisedWithoutAllocation()
    {
        using var file = new PeerFile(EventDescriptor.Create());
        Assert.True(file.IsEventDescriptor);
        Assert.False(file.GetFacts().IsMemoryFile);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            _ = file.IsEventDescriptor;
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void SetNonBlockingReachesAllCopies()
    {
        using Descriptor original = EventDescriptor.Create();
        _ = Libc.LibcFiles.Control(original.Number, Libc.LibcConstants.F_SETFL, 0);
        using var file = new PeerFile(Descriptor.Duplicate(original.Number)!);

        file.SetNonBlocking();

        Assert.NotEqual(0, Libc.LibcFiles.Control(original.Number, Libc.LibcConstants.F_GETFL, 0) & Libc.LibcConstants.O_NONBLOCK);
        Assert.False(EventDescriptor.TryTake(original.Number, out _));
    }

    [Fact]
    public void WritesAtAnEvenOffsetAndNotPastTheEnd()
    {
        using Descriptor memory = MemoryFile.Create("test", Size, sealShrink: false);
        using var file = new PeerFile(Descriptor.Duplicate(memory.Number)!);
        int before = OpenDescriptors.Count();

        Assert.True(file.TryWrite(Size - 2, 2, [(0, 0x1234)]));
        Assert.True(file.TryReadUInt16(Size - 2, out ushort value));
        Assert.Equal(0x1234, value);
        Assert.False(file.TryWrite(Size - 1, 2, [(0, 1)]));
        Assert.False(file.TryWrite(Size, 2, [(0, 1)]));
        Assert.False(file.TryWrite(ulong.MaxValue - 1, 2, [(0, 1)]));
        Assert.False(file.TryWrite(0, ulong.MaxValue, [(0, 1)]));
        Assert.False(file.TryWrite(0, 4, [(4, 1)]));
        Assert.False(file.TryWrite(0, 4, [(1, 1)]));

        // Across pages, the last of two to the same place stays.
        Assert.True(file.TryWrite(4094, 4, [(2, 7), (0, 1), (0, 8)]));
        Assert.True(file.TryReadUInt16(4094, out value));
        Assert.Equal(8, value);
        Assert.True(file.TryReadUInt16(4096, out value));
        Assert.Equal(7, value);
        Assert.Equal(before, OpenDescriptors.Count());
    }

    [Fact]
    public void FindsTheFirstHole()
    {
        using Descriptor memory = MemoryFile.Create("test", Size, sealShrink: true);
        using var window = new Mapping(memory.Number, (int)Size);
        using var file = new PeerFile(Descriptor.Duplicate(memory.Number)!);
        ulong page = (ulong)Environment.SystemPageSize;
        for (ulong at = 0; at < Size; at += page)
        {
            if (at != 5 * page)
                window.Bytes[(int)at] = 1;
        }

        Assert.True(file.TryFindHole(0, Size, out ulong hole));
        Assert.Equal(5 * page, hole);
        Assert.True(file.TryFindHole(5 * page, page, out hole));
        Assert.Equal(5 * page, hole);
        Assert.False(file.TryFindHole(0, 5 * page, out _));
        Assert.False(file.TryFindHole(6 * page, Size - (6 * page), out _));
        Assert.False(file.TryFindHole(1, page, out _));
        Assert.False(file.TryFindHole(0, 0, out _));
        Assert.False(file.TryFindHole(ulong.MaxValue - page + 1, page, out _));
    }

    [Fact]
    public void WritesNothingThatIsNotMemory()
    {
        using var file = new PeerFile(EventDescriptor.Create());
        Assert.False(file.TryWrite(0, 2, [(0, 1)]));
    }

    [Fact]
    public void ReadsAtAnOffsetAndNotPastTheEnd()
    {
        using Descriptor memory = MemoryFile.Create("test", Size, sealShrink: true);
        using var window = new Mapping(memory.Number, (int)Size);
        window.Bytes[4096] = 0x34;
        window.Bytes[4097] = 0x12;
        using var file = new PeerFile(Descriptor.Duplicate(memory.Number)!);

        Assert.True(file.TryReadUInt16(4096, out ushort value));
        Assert.Equal(0x1234, value);
        Assert.True(file.TryReadUInt16(Size - 2, out _));
        Assert.False(file.TryReadUInt16(Size - 1, out _));
        Assert.False(file.TryReadUInt16(Size, out _));
        Assert.False(file.TryReadUInt16(long.MaxValue, out _));
        Assert.False(file.TryReadUInt16(ulong.MaxValue, out _));
    }

    [Fact]
    public void ClosedFileTellsNothing()
    {
        var file = new PeerFile(EventDescriptor.Create());
        file.Dispose();
        file.Dispose();

        Assert.Throws<ObjectDisposedException>(() => file.Descriptor);
        Assert.Throws<ObjectDisposedException>(() => file.GetFacts());
    }

    [Fact]
    public void EventCountsAreTaken()
    {
        using Descriptor descriptor = EventDescriptor.Create();
        Assert.False(EventDescriptor.TryTake(descriptor.Number, out _));
        Assert.True(EventDescriptor.Signal(descriptor.Number));
        Assert.True(EventDescriptor.Signal(descriptor.Number));

        Assert.True(EventDescriptor.TryTake(descriptor.Number, out ulong count));
        Assert.Equal(2UL, count);
        Assert.False(EventDescriptor.TryTake(descriptor.Number, out _));
    }

    private sealed class TemporaryFile : IDisposable
    {
        private readonly string _path;

        public TemporaryFile(string folder, FileAccess access)
        {
            _path = Path.Combine(folder, $"vhost-pci-test-{Environment.ProcessId}-{Guid.NewGuid():N}");
            File.WriteAllBytes(_path, new byte[4096]);
            using SafeFileHandle handle = File.OpenHandle(_path, FileMode.Open, access);
            Peer = new PeerFile(Descriptor.Duplicate((int)handle.DangerousGetHandle())!);
        }

        public PeerFile Peer { get; }

        public void Dispose()
        {
            Peer.Dispose();
            File.Delete(_path);
        }
    }
}
