// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>What the guest writes to a device, and what follows from it.</summary>
internal sealed class DriverWrites(IHost host, MirrorDevice device, DeviceLink link, DevicePart part, DeviceStateMachine states, IDeviceOwner owner)
{
    /// <summary>In serial-number order: also right when the 32 bits have wrapped.</summary>
    internal static bool IsLater(uint a, uint b) => unchecked((int)(a - b)) > 0;

    /// <summary>The configuration: everything but the driver's own fields is ignored.</summary>
    internal void Take(ReadOnlySpan<byte> written)
    {
        if (!link.Config.IsWhole(written))
        {
            return;
        }

        TakeAck(BinaryPrimitives.ReadUInt32LittleEndian(written[GuestAbi.Config.Ack..]));
        link.Driver.Write(
            BinaryPrimitives.ReadUInt64LittleEndian(written[GuestAbi.Config.Accept..]),
            BinaryPrimitives.ReadUInt32LittleEndian(written[GuestAbi.Config.Driver..]));
        if (link.Driver.IsReady)
        {
            ApplyDriver();
        }

        if (part.Take(link.Config.PartOf(written), link.Config.Part))
        {
            device.Origin?.OnDriverChanged();
        }
    }

    /// <summary>The virtio device status has changed.</summary>
    /// <param name="isWindowMissing">Whether there is a driver, and no window for it.</param>
    internal void OnStatus(bool isWindowMissing)
    {
        if (!link.Driver.IsReady)
        {
            // A driver that was reset uses nothing any more.
            link.LetGo();
        }

        if (isWindowMissing)
        {
            AllSteps.Run(
                () => link.Withdraw(notify: true, isUsed: false),
                () => states.Move(DeviceEvent.WindowMissing));
        }
        else
        {
            states.Move(DeviceEvent.WindowPlaced);
        }

        if (link.Driver.IsReady)
        {
            ApplyDriver();
        }

        link.Show();
        link.Steps.PublishPending();
        if (link.Driver.IsReady && device.Host is { } target)
        {
            link.Rings.RaiseAll(target);
        }
    }

    private void TakeAck(uint ack)
    {
        if (IsLater(ack, link.Config.Epoch))
        {
            // An epoch that does not exist yet cannot be acknowledged.
            return;
        }

        link.Config.Ack = ack;
        host.Trace(TraceEvent.Acknowledge, device.Number, ack, 0);
        if (ack == link.Config.Epoch)
        {
            link.LetGo();
            link.Show();
        }

        link.Steps.PublishPending();
    }

    private void ApplyDriver()
    {
        if (!link.Driver.Apply())
        {
            return;
        }

        owner.OnAccepted(device.Class, link.Driver.Accepted);
        if (device.Origin is { } origin && !link.Driver.Accepts(origin.Session.Features))
        {
            link.Withdraw(notify: true);
        }

        device.Origin?.OnDriverChanged();
        link.Show();
    }
}
