// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>The origin's virtio-net; keeps what it is told.</summary>
internal sealed class FakeNic : IClientHost
{
    internal bool Link { get; private set; }

    internal int Disconnects { get; private set; }

    /// <summary>As the guest's driver has it.</summary>
    public ulong DriverFeatures { get; set; }

    internal ulong Offered { get; private set; } = ulong.MaxValue;

    internal int Resets { get; private set; }

    /// <summary>Link and reset, in the order in which they came.</summary>
    internal List<string> Events { get; } = [];

    public void SetLink(bool up)
    {
        Link = up;
        Events.Add(up ? "up" : "down");
    }

    public void Offer(ulong features) => Offered = features;

    public void AskForReset()
    {
        Resets++;
        Events.Add("reset");
    }

    public void Disconnect() => Disconnects++;
}
