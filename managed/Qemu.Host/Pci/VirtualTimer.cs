// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host.Pci;

/// <summary>A one-shot timer in the guest's time (<c>QEMU_CLOCK_VIRTUAL</c> of QEMU's <c>include/qemu/timer.h</c>). A reset cancels it.</summary>
public sealed class VirtualTimer
{
    private readonly PciDevice _device;
    private readonly int _number;
    private readonly Action _expired;

    internal VirtualTimer(PciDevice device, int number, Action expired)
    {
        _device = device;
        _number = number;
        _expired = expired;
    }

    /// <summary>Runs out once, after this many nanoseconds; again: from now on anew.</summary>
    public void Start(long nanoseconds)
    {
        long now = _device.Now;
        _device.ArmTimer(_number, nanoseconds > long.MaxValue - now ? long.MaxValue : now + nanoseconds);
    }

    /// <summary>Does not run out.</summary>
    public void Cancel() => _device.ArmTimer(_number, -1);

    /// <summary>It has run out.</summary>
    public void Fire() => _expired();
}
