// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Clients;

/// <summary>What the device's driver switches by its control queue.</summary>
public sealed partial class VhostPciClient
{
    private DriverState? _driver;

    // As the server has it: all that was acknowledged, after SET_FEATURES; null before.
    private DriverState? _told;

    /// <summary>Tells the server which offloads are on and which address the interface has; once more only when that has changed.</summary>
    /// <param name="offloads">virtio-net feature bits; others than guest offloads do not count.</param>
    /// <param name="mac">Anything that the driver has set: an address that no interface can have is not passed on.</param>
    public int SetDriverState(ulong offloads, MacAddress mac)
    {
        _driver = new DriverState(offloads & VirtioNetFeatures.GuestOffloads, mac.IsMulticast ? default : mac);
        return TellDriverState();
    }

    /// <summary>A new server knows what the device information says.</summary>
    private void ForgetTold() => _told = null;

    private void OnFeaturesSent()
        => _told = new DriverState(_acknowledged & VirtioNetFeatures.GuestOffloads, _told?.Mac ?? Config.Info.Mac);

    private int TellDriverState()
    {
        if (State != ClientState.Connected)
        {
            return ErrorCode.NotConnected;
        }

        if (_driver is not { } driver || _told is not { } told || (_protocolFeatures & ProtocolFeatures.DriverState) == 0)
        {
            return 0;
        }

        // A driver that has just chosen other features: SET_FEATURES with them is yet to come.
        DriverState state = driver with { Offloads = driver.Offloads & _acknowledged };
        if (state == told)
        {
            return 0;
        }

        Span<byte> payload = stackalloc byte[DriverState.Size];
        state.Write(payload);
        if (!Send(RequestCode.SetDriverState, payload))
        {
            return ErrorCode.BrokenPipe;
        }

        _told = state;
        return 0;
    }

    /// <summary>QEMU announces the address that the device was given, whatever its driver has made of it.</summary>
    private MacAddress Current(MacAddress announced)
        => announced == Config.Info.Mac && _driver is { Mac.IsZero: false } driver ? driver.Mac : announced;
}
