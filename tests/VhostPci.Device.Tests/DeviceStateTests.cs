// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Devices;

namespace VhostPci.Device.Tests;

/// <summary>The table of transitions by itself; what leads to them is tested with whole devices.</summary>
public sealed class DeviceStateTests
{
    [Fact]
    public void An_origin_that_returns_finds_what_its_device_still_awaits()
    {
        var states = new DeviceStateMachine(isStatic: false);
        states.Move(DeviceEvent.Shown);
        states.Move(DeviceEvent.Withdrawn);
        states.Move(DeviceEvent.DriverTold);
        Assert.Equal(DeviceState.Awaiting, states.State);

        states.Move(DeviceEvent.OriginLeft);
        Assert.Equal((DeviceState.Away, DeviceState.Awaiting, true), (states.State, states.Link, states.IsVacant));
        states.Move(DeviceEvent.OriginCame);
        Assert.Equal(DeviceState.Awaiting, states.State);
    }

    [Theory]
    [InlineData(false, DeviceEvent.Withdrawn)]
    [InlineData(false, DeviceEvent.LetGo)]
    [InlineData(false, DeviceEvent.OriginCame)]
    [InlineData(false, DeviceEvent.Released)]
    [InlineData(true, DeviceEvent.OriginLeft)]
    [InlineData(true, DeviceEvent.UnplugRequested)]
    public void What_cannot_happen_in_a_state_is_a_fault_and_changes_nothing(bool isStatic, object what)
    {
        var states = new DeviceStateMachine(isStatic);
        DeviceState before = states.State;
        Assert.Throws<InvalidOperationException>(() => states.Move((DeviceEvent)what));
        Assert.Equal(before, states.State);
    }

    [Fact]
    public void A_device_that_is_gone_stays_gone()
    {
        var states = new DeviceStateMachine(isStatic: true);
        states.Move(DeviceEvent.Detached);
        Assert.Equal(DeviceState.Leaving, states.State);
        states.Move(DeviceEvent.Released);
        Assert.Equal(DeviceState.Gone, states.State);
        Assert.Throws<InvalidOperationException>(() => states.Move(DeviceEvent.Detached));
    }
}
