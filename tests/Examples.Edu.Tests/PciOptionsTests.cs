// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host.Pci;

namespace Examples.Edu.Tests;

public sealed class PciOptionsTests
{
    [Fact]
    public void Options_are_taken_by_their_names()
    {
        var options = new PciOptions(" name=a=b ; size=0x10;count=12;fast=on;slow=off");

        Assert.Equal("a=b", options.Take("name", "none"));
        Assert.Equal(16ul, options.Take("size", 1ul));
        Assert.Equal(12ul, options.Take("count", 1ul));
        Assert.True(options.Take("fast", unset: false));
        Assert.False(options.Take("slow", unset: true));
        Assert.Equal("none", options.Take("other", "none"));
        Assert.Equal(5ul, options.Take("another", 5ul));
        Assert.True(options.Take("last", unset: true));
        options.RefuseOthers();
    }

    [Theory]
    [InlineData("size")]
    [InlineData("=5")]
    [InlineData("size=1;size=2")]
    [InlineData("size=-1")]
    [InlineData("size=0x")]
    [InlineData("size=1k")]
    [InlineData("size=18446744073709551616")]
    [InlineData("on=1")]
    [InlineData("other=1")]
    public void What_is_wrong_is_named(string text)
    {
        var exception = Assert.Throws<PciOptionException>(() =>
        {
            var options = new PciOptions(text);
            options.Take("size", 0ul);
            options.Take("on", unset: false);
            options.RefuseOthers();
        });

        Assert.Contains("options=", exception.Message, StringComparison.Ordinal);
    }
}
