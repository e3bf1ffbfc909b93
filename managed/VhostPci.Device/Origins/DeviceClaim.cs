// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Device.Common;
using VhostPci.Device.Limits;
using VhostPci.Protocol;
using static System.FormattableString;

namespace VhostPci.Device.Origins;

/// <summary>The device that an origin has, needs or waits for, and what of the server it may use.</summary>
internal sealed class DeviceClaim(IOriginServer server, Connection connection, ConnectionTimer timer)
{
    private ulong _memoryEnd;
    private ulong _windowSize;
    private int _devices;
    private int _pairs = 1;

    /// <summary>The device, once it is plugged.</summary>
    internal IMirrorDevice? Device { get; private set; }

    /// <summary>The class of an origin that has not said what kind it is.</summary>
    internal DeviceClass DefaultClass => server.Classes[0];

    internal bool AllowUnsealed => server.AllowUnsealed;

    /// <summary>Queue pairs that an origin may have.</summary>
    internal int MostPairs => server.QueuesMax;

    /// <summary>There is no room for its device yet.</summary>
    internal bool IsWaiting { get; private set; }

    /// <summary>It has a device, or had.</summary>
    internal bool HadDevice { get; private set; }

    /// <summary>The origin has said what memory it has, so it needs a device.</summary>
    internal bool IsKnown => _memoryEnd != 0;

    /// <summary>Finds the class of an origin by its virtio id; null when there are no devices for it.</summary>
    internal DeviceClass? FindClass(ushort virtioId) => server.Classes.FirstOrDefault(known => known.VirtioId == virtioId);

    /// <summary>What the guest drivers of a class have accepted last.</summary>
    internal ulong GetAccepted(DeviceClass deviceClass) => server.GetAccepted(deviceClass);

    /// <summary>Whether it may have that many, and why not; changes nothing.</summary>
    internal Verdict CheckPairs(int pairs)
    {
        if (pairs > MostPairs)
        {
            return Verdict.Refuse($"{pairs} queue pairs are more than the {MostPairs} of queues-max=");
        }

        return pairs <= _pairs || server.HasRoomFor(pairs - _pairs)
            ? Verdict.Ok
            : Verdict.Refuse($"{pairs} queue pairs would take {(pairs - _pairs) * Budgets.PairDescriptors} more file descriptors, which are needed for others: "
                + "raise the limit (ulimit -Hn, LimitNOFILE=) or lower connections=");
    }

    /// <summary>It has that many now.</summary>
    internal void SetPairs(int pairs)
    {
        server.ChangePairs(pairs - _pairs);
        _pairs = pairs;
    }

    /// <summary>Whether <see cref="RequireDevice"/> would have a device, or hope for one; changes nothing.</summary>
    /// <param name="memoryEnd">What its window must show.</param>
    /// <param name="windowSize">Bytes of the window that there is or would be.</param>
    internal Verdict CheckDevice(ulong memoryEnd, out ulong windowSize)
    {
        if (IsKnown && memoryEnd <= _windowSize)
        {
            windowSize = _windowSize;
            return Verdict.Ok;
        }

        return server.CheckDevice(connection, Math.Max(_memoryEnd, memoryEnd), out windowSize);
    }

    /// <summary>Sees to it that there is, or will be, a device whose window shows memory up to <paramref name="memoryEnd"/>.</summary>
    internal Verdict RequireDevice(ulong memoryEnd)
    {
        bool fits = IsKnown && memoryEnd <= _windowSize;
        _memoryEnd = Math.Max(_memoryEnd, memoryEnd);
        if (fits)
        {
            return Verdict.Ok;
        }

        GiveUp();
        return TryPlug();
    }

    /// <summary>An id that no device has had: QEMU keeps the old one until the guest has let it go.</summary>
    internal string NextId()
    {
        string id = Invariant($"{server.Id}.{connection.Id}");
        _devices++;
        return _devices == 1 ? id : Invariant($"{id}.{_devices}");
    }

    /// <summary>Gets a device, if there is one.</summary>
    internal Verdict TryPlug()
    {
        timer[Waiting.Device] = null;
        PlugResult result = server.TryGetDevice(connection, _memoryEnd, out IMirrorDevice? device, out _windowSize, out string error);
        IsWaiting = result == PlugResult.Wait;
        if (result == PlugResult.Refused)
        {
            return Verdict.Refuse(error);
        }

        if (device is null)
        {
            return Verdict.Ok;
        }

        Device = device;
        HadDevice = true;
        if (device.IsNew)
        {
            OriginLog.Plugged(server.Logger, server.Id, connection.Name, connection.Peer.Pid, connection.Peer.Uid, device.Id, device.Slot);
        }
        else
        {
            OriginLog.Adopted(server.Logger, server.Id, connection.Name, connection.Peer.Pid, connection.Peer.Uid, device.Id);
        }

        connection.SendNews();
        return connection.Session.OnPlugged(device);
    }

    /// <summary>It may have a new device after a time, if nobody of the same user is faster.</summary>
    internal void RetryIn(TimeSpan wait) => timer[Waiting.Device] = timer.After(wait);

    /// <summary>Somebody has taken the device, or takes it now.</summary>
    internal void Drop() => Device = null;

    /// <summary>The origin has outgrown its device.</summary>
    private void GiveUp()
    {
        if (Device is not { } device)
        {
            return;
        }

        OriginLog.Outgrown(server.Logger, server.Id, connection.Peer.Pid, connection.Peer.Uid, _memoryEnd, device.Id, Bytes.Format(device.WindowSize));
        connection.Session.Runner.Halt();
        Device = null;
        device.Vacate(0);
    }
}
