// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using VhostPci.Linux.Files;

namespace VhostPci.Linux.Tests;

/// <summary>A capture on a disk that becomes full.</summary>
public sealed unsafe partial class DumpFileTests
{
    private const int RLIMIT_FSIZE = 1;
    private const int SIGXFSZ = 25;

    [Fact]
    public void ARecordIsWrittenWholeOrNotAtAll()
    {
        string path = Path.GetTempFileName();
        try
        {
            Assert.True(DumpFile.TryCreate(path, out DumpFile? file, out string error), error);
            using (file)
            {
                Assert.True(file!.TryAppend(new byte[100]));

                // The kernel writes up to the limit and says so, as on a disk that is full.
                using (SizeLimit.Of(150))
                {
                    Assert.False(file.TryAppend(new byte[100]));
                    Assert.Equal(100, new FileInfo(path).Length);
                    Assert.False(file.TryAppend(new byte[51]));
                    Assert.True(file.TryAppend(new byte[50]));
                    Assert.False(file.TryAppend(new byte[1]));
                }

                Assert.Equal(150, new FileInfo(path).Length);
                Assert.True(file.TryAppend(new byte[1]));
                Assert.Equal(151, new FileInfo(path).Length);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    private sealed partial class SizeLimit : IDisposable
    {
        private readonly Limit _before;
        private readonly nint _handler;

        private SizeLimit(Limit before, nint handler) => (_before, _handler) = (before, handler);

        public static SizeLimit Of(ulong bytes)
        {
            nint ignore = 1;
            nint handler = SetSignal(SIGXFSZ, ignore);
            Limit before;
            Assert.Equal(0, GetLimit(RLIMIT_FSIZE, &before));
            Limit lower = before with { Soft = bytes };
            Assert.Equal(0, SetLimit(RLIMIT_FSIZE, &lower));
            return new SizeLimit(before, handler);
        }

        public void Dispose()
        {
            Limit before = _before;
            _ = SetLimit(RLIMIT_FSIZE, &before);
            _ = SetSignal(SIGXFSZ, _handler);
        }

        [LibraryImport("libc", EntryPoint = "getrlimit")]
        private static partial int GetLimit(int resource, Limit* limit);

        [LibraryImport("libc", EntryPoint = "setrlimit")]
        private static partial int SetLimit(int resource, Limit* limit);

        [LibraryImport("libc", EntryPoint = "signal")]
        private static partial nint SetSignal(int number, nint handler);

        private struct Limit
        {
            public ulong Soft;
            public ulong Hard;
        }
    }
}
