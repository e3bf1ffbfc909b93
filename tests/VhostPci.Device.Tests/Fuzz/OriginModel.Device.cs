// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>The origin and its device.</summary>
internal sealed partial class OriginModel
{
    /// <summary>A slot has become free.</summary>
    internal void RetryPlug()
    {
        if (!IsWaitingForSlot || IsClosed || _busy)
        {
            return;
        }

        _busy = true;
        bool done = Plug() && Update() && !_failed;
        _busy = false;
        if (!done)
        {
            Close();
        }
    }

    /// <summary>The mirror's driver, or its user, has changed something.</summary>
    internal void DriverChanged()
    {
        if (IsClosed || Device is null)
        {
            return;
        }

        if (!IsExtended && !Device.Accepts(Features))
        {
            Fail();
        }
        else
        {
            TellOrigin(Device);
        }
    }

    /// <summary>What the front-end does not know yet about the mirror's driver.</summary>
    private void TellOrigin(DeviceModel device)
    {
        if (!IsExtended)
        {
            return;
        }

        ulong accepted = VirtioNetFeatures.Offered & device.Accepted;
        if (accepted != (_toldFeatures ?? _offered))
        {
            _toldFeatures = accepted;
            Tell(BackEndRequest.AcceptFeatures, accepted);
        }

        if (device.IsDriverLinkUp != _toldLink)
        {
            _toldLink = device.IsDriverLinkUp;
            Tell(BackEndRequest.SetLink, _toldLink ? 1UL : 0);
        }
    }

    private void Tell(BackEndRequest request, ulong value)
    {
        mirror.Told++;
        _ = Answer(value, out byte[] payload);
        if (!IsClosed && !Say((RequestCode)request, 0, payload))
        {
            Fail();
        }
    }

    /// <summary>A window that shows guest addresses up to there.</summary>
    private bool NeedDevice(ulong end)
    {
        _ringsFixed = true;
        bool known = _memoryEnd != 0;
        _memoryEnd = Math.Max(_memoryEnd, end);
        if (known && end <= _windowSize)
        {
            return true;
        }

        StopAll();
        mirror.Growths += Device is null ? 0 : 1;
        DeviceModel? device = Device;
        Device = null;
        device?.Abandon(forGood: true);
        return Plug();
    }

    /// <summary>Bytes of the window that shows guest addresses up to there; 0 when there can be none.</summary>
    private ulong WindowFor(ulong end, bool isNew = false)
    {
        if (!isNew && _memoryEnd != 0 && end <= _windowSize)
        {
            return _windowSize;
        }

        UInt128 size = MirrorModel.SlotSize;
        while (size < Math.Max(_memoryEnd, end))
        {
            size *= 2;
        }

        return size > mirror.Reserved ? 0 : (ulong)size;
    }

    private bool Plug()
    {
        IsWaitingForSlot = false;
        DeviceModel[] away = [.. mirror.Devices.OfType<DeviceModel>().Where(static device => device.IsAway)];
        DeviceModel[] suiting = [.. mirror.Devices.OfType<DeviceModel>().Where(device => device.WindowSize >= _memoryEnd && device.Rings >= _rings.Count)];
        DeviceModel? found = suiting.FirstOrDefault(device => device.IsAway && Key is not null && Key.Equals(device.Key))
            ?? suiting.FirstOrDefault(static device => device is { IsStatic: true, Origin: null, IsForNobody: false });
        if (found is not null)
        {
            Device = found;
            _windowSize = found.WindowSize;
            found.Adopt(this);
            return UseDevice(found);
        }

        // A name decides with whom it is the same origin; what that has does not suit it.
        foreach (DeviceModel former in away.Where(device => Key is not null && Key.Equals(device.Key)))
        {
            former.Leave();
        }

        _windowSize = WindowFor(_memoryEnd, isNew: true);
        if (_windowSize == 0)
        {
            return false;
        }

        if (!mirror.HasRoomFor(_windowSize))
        {
            // Somebody who is gone still has some: there is more of it than connections need. One is asked for at a time.
            if (_madeRoom is null || !mirror.Devices.Contains(_madeRoom))
            {
                _madeRoom = away.FirstOrDefault(static device => device.IsAway);
                _madeRoom?.Leave();
            }

            IsWaitingForSlot = true;
            mirror.Waits++;
            return true;
        }

        if (mirror.BridgeFails)
        {
            // Its place is free again, so others try.
            mirror.Retry();
            return false;
        }

        Device = new DeviceModel(mirror, this, _windowSize, _rings.Count);
        mirror.Devices.Add(Device);
        return UseDevice(Device);
    }

    private bool UseDevice(DeviceModel device)
    {
        TellOrigin(device);
        device.Describe(_macNow ?? _mac, _mtu);
        return Update();
    }
}
