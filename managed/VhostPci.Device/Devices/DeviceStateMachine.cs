// SPDX-License-Identifier: GPL-2.0-or-later
using static VhostPci.Device.Devices.DeviceEvent;
using static VhostPci.Device.Devices.DeviceState;

namespace VhostPci.Device.Devices;

/// <summary>The state of one device, and every way in which it can change.</summary>
/// <remarks>
/// Two things change independently: what is shown, and who has the device. A device that its origin has left can still wait for the
/// driver's acknowledgement, and must not show anything to the origin that returns before it has it.
/// </remarks>
internal sealed class DeviceStateMachine(bool isStatic)
{
    // Of DeviceState, Away to Gone; null while an origin has the device.
    private DeviceState? _vacancy = isStatic ? Waiting : null;

    internal DeviceState State => _vacancy ?? Link;

    /// <summary>What is shown, whoever has the device: Down to NoWindow.</summary>
    internal DeviceState Link { get; private set; } = Down;

    /// <summary>No origin has it, and one could.</summary>
    internal bool IsVacant => _vacancy is Away or Waiting;

    /// <summary>Changes the state.</summary>
    /// <exception cref="InvalidOperationException">The event cannot happen in this state: a fault of the caller's.</exception>
    internal void Move(DeviceEvent what)
    {
        if (what <= WindowPlaced)
        {
            Link = NextLink(what);
        }
        else
        {
            _vacancy = NextVacancy(what);
        }
    }

    private DeviceState NextLink(DeviceEvent what) => (Link, what) switch
    {
        (Down, Shown) => Up,

        // The origin has stopped a ring, changed its memory or gone; or the driver or the user does not want it any more.
        (Up, Withdrawn) => Down,

        // The driver may be in the middle of a ring. Without a driver nobody can be.
        (Down, DriverTold) => Awaiting,

        // Only now may something else be mapped into the window.
        (Awaiting, LetGo) => Down,

        // A driver without a window reads nothing; it is told so by the link, which stays down until it is reset.
        (Down or NoWindow, WindowMissing) => NoWindow,
        (NoWindow, WindowPlaced) => Down,
        (_, WindowPlaced) => Link,
        _ => throw Impossible(what),
    };

    private DeviceState? NextVacancy(DeviceEvent what) => (_vacancy, what) switch
    {
        // The same origin can come back to it in unplug-delay=.
        (null, OriginLeft) => Away,

        // It is the user's: the next origin may have it.
        (null, StaticOriginLeft) => Waiting,
        (Away or Waiting, OriginCame) => null,

        // From null: unplug-delay=0, or the origin needs a larger one, or QEMU could not plug it.
        (null or Away, UnplugRequested) => Leaving,

        // The user or the guest can take any device away at any time.
        (not Gone, DeviceEvent.Detached) => Leaving,
        (Leaving, Released) => Gone,
        _ => throw Impossible(what),
    };

    private InvalidOperationException Impossible(DeviceEvent what) => new($"a device that is {State} ({Link}) cannot have been {what}");
}
