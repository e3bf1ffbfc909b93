// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Clients;

/// <summary>Asks a new server, one question at a time, what it is and takes; then says who the origin is.</summary>
internal sealed class Handshake(ClientConnection connection, ClientSession session, OriginLink link, ServerChannel channel)
{
    private const ulong NeededProtocolFeatures = ProtocolFeatures.VhostPci;
    private const ulong WantedProtocolFeatures = ProtocolFeatures.MultiQueue | ProtocolFeatures.Rarp | ProtocolFeatures.DriverState;

    internal void Start() => channel.Send(RequestCode.GetFeatures);

    /// <summary>Takes the answer to the last question.</summary>
    /// <returns>False when it answers something else.</returns>
    internal bool TryTake(BackEndMessage message)
    {
        switch (message, session.State)
        {
            case (NumberReply { Request: RequestCode.GetFeatures } reply, ClientState.AskedFeatures):
                TakeFeatures(reply.Value);
                return true;
            case (NumberReply { Request: RequestCode.GetProtocolFeatures } reply, ClientState.AskedProtocolFeatures):
                TakeProtocolFeatures(reply.Value);
                return true;
            case (NumberReply { Request: RequestCode.GetQueueNum } reply, ClientState.AskedQueues):
                TakeQueues(reply.Value);
                return true;
            default:
                return false;
        }
    }

    private void TakeFeatures(ulong features)
    {
        if ((features & VirtioFeatures.VhostUserProtocolFeatures) == 0)
        {
            connection.GiveUp("the server is not a vhost-pci server: it has no protocol features");
            return;
        }

        link.ApplyServerFeatures(features);
        session.State = ClientState.AskedProtocolFeatures;
        channel.Send(RequestCode.GetProtocolFeatures);
    }

    private void TakeProtocolFeatures(ulong features)
    {
        ulong missing = NeededProtocolFeatures & ~features;
        if (missing != 0)
        {
            connection.GiveUp($"the server is not a vhost-pci server: protocol features 0x{missing:x} are missing");
            return;
        }

        session.State = ClientState.AskedQueues;
        session.ProtocolFeatures = NeededProtocolFeatures | (features & WantedProtocolFeatures);
        if (channel.Send(RequestCode.SetProtocolFeatures, new U64Payload(session.ProtocolFeatures)))
        {
            channel.Send(RequestCode.GetQueueNum);
        }
    }

    private void TakeQueues(ulong pairs)
    {
        DeviceInfo info = session.Config.Info;
        if (pairs < info.QueuePairs)
        {
            connection.GiveUp($"the server takes {pairs} queue pairs and this device has {info.QueuePairs}: lower vhost-pci-queues=");
            return;
        }

        if (channel.Send(RequestCode.SetOwner) && channel.Send(RequestCode.SetDeviceInfo, info))
        {
            connection.OnConnected();
        }
    }
}
