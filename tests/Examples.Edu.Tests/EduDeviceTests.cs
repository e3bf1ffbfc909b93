// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host.Pci;

namespace Examples.Edu.Tests;

/// <summary>The device without QEMU: seconds from a change to its result. What a guest sees in QEMU is in tests/qtest/test_edu.py.</summary>
public sealed class EduDeviceTests
{
    private const uint Start = 1, ToMemory = 2, InterruptWhenDone = 4;

    private readonly Machine _machine = new(new EduDevice(new PciOptions(null)));

    [Fact]
    public void The_liveness_register_inverts()
    {
        _machine.Write(0x04, 0x12345678);

        Assert.Equal(0x010000edu, _machine.Read(0x00));
        Assert.Equal(~0x12345678u, _machine.Read(0x04));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(5, 120)]
    [InlineData(13, 1932053504)]
    [InlineData(33, 0x80000000)]
    [InlineData(34, 0)]
    [InlineData(uint.MaxValue, 0)]
    public void Factorials_are_those_of_32_bits(uint number, uint expected)
    {
        _machine.Write(0x08, number);

        Assert.Equal(expected, _machine.Read(0x08));
        Assert.Equal(0u, _machine.Read(0x20));
        Assert.False(_machine.Line);
    }

    [Fact]
    public void The_line_is_high_until_every_cause_is_acknowledged()
    {
        _machine.Write(0x60, 3);
        _machine.Write(0x64, 1);
        Assert.True(_machine.Line);

        _machine.Write(0x64, 2);
        Assert.False(_machine.Line);
        Assert.Empty(_machine.Messages);
    }

    [Fact]
    public void With_messages_the_line_stays_low()
    {
        _machine.EnabledVectors = 1;
        _machine.Write(0x20, 0x80);
        _machine.Write(0x08, 4);

        Assert.Equal(1u, _machine.Read(0x24));
        Assert.Equal([0], _machine.Messages);
        Assert.False(_machine.Line);
    }

    [Fact]
    public void A_transfer_takes_its_time()
    {
        _machine.Memory[100] = 7;
        Transfer(100, 0x40000, 1, InterruptWhenDone);
        _machine.Pass(99_999_999);
        Assert.Equal(Start | InterruptWhenDone, _machine.Read(0x98));

        _machine.Pass(1);
        Assert.Equal(InterruptWhenDone, _machine.Read(0x98));
        Assert.Equal(0x100u, _machine.Read(0x24));
        Transfer(0x40000, 200, 1, ToMemory);
        _machine.Pass(100_000_000);
        Assert.Equal(7, _machine.Memory[200]);
    }

    [Fact]
    public void A_device_that_is_gone_does_nothing()
    {
        var device = new EduDevice(new PciOptions(null));
        device.Write(0, 0x98, 1, 4);
        device.Write(0, 0x60, 1, 4);
        device.Timers[0].Fire();
        device.Timers[0].Cancel();

        Assert.Equal(1u, device.Read(0, 0x24, 4));
        Assert.Equal(0, device.Now);
    }

    private void Transfer(uint source, uint destination, uint count, uint command)
    {
        _machine.Write(0x80, source);
        _machine.Write(0x88, destination);
        _machine.Write(0x90, count);
        _machine.Write(0x98, command | Start);
    }
}
