// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>A channel to another user's process.</summary>
internal sealed class UserChannel(IChannel real, uint uid) : IChannel
{
    public int Descriptor => real.Descriptor;

    public PeerCredentials Peer => real.Peer with { Uid = uid };

    public int Unclosed => real.Unclosed;

    public ReceiveStatus Receive(Span<byte> buffer, ICollection<IPeerFile> files, out int count) => real.Receive(buffer, files, out count);

    public bool TrySend(ReadOnlySpan<byte> data, ReadOnlySpan<int> descriptors, int timeoutMilliseconds)
        => real.TrySend(data, descriptors, timeoutMilliseconds);

    public bool WaitReadable(int timeoutMilliseconds) => real.WaitReadable(timeoutMilliseconds);

    public void ShutDown() => real.ShutDown();

    public void Dispose() => real.Dispose();
}
