// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>A one-shot timer with one purpose; the host knows it from the first time it is armed.</summary>
internal sealed class HostTimer(IHost host, Action elapsed) : IReactor
{
    private ulong _number;

    public void OnReady(int descriptor, DescriptorEvents events)
    {
        // A timer watches no descriptor.
    }

    public void OnTimer() => elapsed();

    internal void Release()
    {
        if (_number == 0)
        {
            return;
        }

        ulong number = _number;
        _number = 0;
        try
        {
            host.ArmTimer(number, 0);
        }
        finally
        {
            host.Unregister(number);
        }
    }

    internal void Arm(uint milliseconds)
    {
        if (_number == 0)
        {
            _number = host.Register(this);
        }

        host.ArmTimer(_number, milliseconds);
    }

    internal void Cancel()
    {
        if (_number != 0)
        {
            host.ArmTimer(_number, 0);
        }
    }
}
