// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>A one-shot timer; the host knows it from the first time it is armed.</summary>
internal sealed class HostTimer(IHost host) : IReactor
{
    private ulong _number;
    private Action? _elapsed;

    public void OnTimer() => _elapsed?.Invoke();

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

    /// <summary>Does something once that time has passed, instead of what it was armed for before.</summary>
    internal void Arm(uint milliseconds, Action elapsed)
    {
        _elapsed = elapsed;
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
