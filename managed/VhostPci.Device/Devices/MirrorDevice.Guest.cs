// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using VhostPci.Device.Common;
using VhostPci.Device.Ports;
using VhostPci.Protocol;

namespace VhostPci.Device.Devices;

/// <summary>What the guest's driver does.</summary>
public sealed partial class MirrorDevice
{
    /// <summary>Copies the configuration; allocates nothing.</summary>
    public void ReadConfig(Span<byte> destination) => _config.CopyTo(destination);

    /// <summary>The guest wrote to the configuration: everything but the driver's own fields is ignored.</summary>
    public void WriteConfig(ReadOnlySpan<byte> source)
    {
        if (source.Length < GuestAbi.Config.Size)
        {
            return;
        }

        TakeAck(BinaryPrimitives.ReadUInt32LittleEndian(source[GuestAbi.Config.Ack..]));
        TakeDriver(
            BinaryPrimitives.ReadUInt64LittleEndian(source[GuestAbi.Config.Accept..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[GuestAbi.Config.Driver..]));
    }

    private void TakeAck(uint ack)
    {
        if (IsLater(ack, _config.Epoch))
        {
            // An epoch that does not exist yet cannot be acknowledged.
            return;
        }

        _config.Ack = ack;
        _host.Trace(TraceEvent.Acknowledge, Number, ack, 0);
        if (_awaited is { } awaited && !IsLater(awaited, ack))
        {
            LetGo();
            Evaluate();
        }

        TellNews();
    }

    /// <summary>The guest wrote the virtio device status.</summary>
    /// <param name="status">The status byte.</param>
    /// <param name="windowAddress">Guest-physical address of BAR 2, or all ones.</param>
    public void SetStatus(uint status, ulong windowAddress)
    {
        _host.Trace(TraceEvent.Status, Number, status, 0);
        bool was = IsDriverReady;
        IsDriverReady = (status & DriverOkBit) != 0;
        if (was && IsDriverReady)
        {
            return;
        }

        // A driver that finds no window gives up, or does not notice.
        _windowMissing = (status & (DriverOkBit | FailedBit)) != 0 && windowAddress is < FourGibibytes or NoAddress;
        if (!IsDriverReady)
        {
            // A driver that was reset uses nothing any more.
            if (status == 0)
            {
                ForgetDriver();
            }

            LetGo();
        }
        else
        {
            ApplyDriver();
        }

        if (_windowMissing)
        {
            LogWindowMissing(windowAddress);
            TakeDown(notify: true);
            TellNews();
            return;
        }

        Evaluate();
        TellNews();
        if (IsDriverReady)
        {
            RaiseRings(_shown);
        }
    }

    // Serial-number order: also right when the 32 bits have wrapped.
    private static bool IsLater(uint a, uint b) => unchecked((int)(a - b)) > 0;

    private void LetGo()
    {
        if (_awaited is null)
        {
            return;
        }

        _awaited = null;
        if (!IsAway && !IsLeaving)
        {
            // For those the timer is the one of the unplug request.
            _host.ArmTimer(Number, 0);
        }
    }

    /// <summary>Says each of the two once for a device: a guest can come here as often as it likes. The monitor shows the state at any time.</summary>
    private void LogWindowMissing(ulong address)
    {
        bool placed = address != NoAddress;
        if (placed ? _saidTooLow : _saidNotPlaced)
        {
            return;
        }

        if (!placed)
        {
            _saidNotPlaced = true;
            DeviceLog.WindowNotPlaced(_logger, Identity.Id, Bytes.Format(WindowSize), _owner.DescribeRoom(this));
        }
        else
        {
            _saidTooLow = true;
            DeviceLog.WindowTooLow(_logger, Identity.Id, Bytes.Format(WindowSize), address);
        }
    }
}
