// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using VhostPci.Linux.Files;

namespace VhostPci.Linux.Tests;

public sealed class OpenFileLimitTests
{
    [Fact]
    public void Raises_the_soft_limit_and_never_lowers_it()
    {
        using (DescriptorLimit.LeaveRoomFor(4))
        {
            (ulong soft, ulong hard) = Read();
            Assert.True(hard > soft + 1, "the hard limit leaves no room for this test");
            Assert.True(OpenFileLimit.TryRaise(soft + 1, out ulong limit));
            Assert.Equal((soft + 1, soft + 1), (limit, Read().Soft));
            Assert.True(OpenFileLimit.TryRaise(1, out limit));
            Assert.Equal((soft + 1, soft + 1), (limit, Read().Soft));
        }
    }

    [Fact]
    public void Says_what_there_is_when_the_hard_limit_is_too_low()
    {
        using (DescriptorLimit.LeaveRoomFor(4))
        {
            ulong hard = Read().Hard;
            if (hard == ulong.MaxValue)
            {
                return;
            }

            Assert.False(OpenFileLimit.TryRaise(hard + 1, out ulong limit));
            Assert.Equal(hard, limit);
        }
    }

    private static (ulong Soft, ulong Hard) Read()
    {
        string line = File.ReadLines("/proc/self/limits").First(text => text.StartsWith("Max open files", StringComparison.Ordinal));
        ulong[] numbers = [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(3).Take(2)
            .Select(word => word == "unlimited" ? ulong.MaxValue : ulong.Parse(word, CultureInfo.InvariantCulture))];
        return (numbers[0], numbers[1]);
    }
}
