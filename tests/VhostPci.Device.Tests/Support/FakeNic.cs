// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>The origin's virtio-net; keeps what it is told.</summary>
internal sealed class FakeNic : IClientHost
{
    internal bool Link { get; private set; }

    internal int Disconnects { get; private set; }

    public void SetLink(bool up) => Link = up;

    public void Disconnect() => Disconnects++;
}
