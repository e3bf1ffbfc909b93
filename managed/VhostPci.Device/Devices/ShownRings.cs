// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Origins;
using VhostPci.Device.Ports;

namespace VhostPci.Device.Devices;

/// <summary>Which of the origin's rings the driver may use, and the eventfds that are bound for them.</summary>
internal sealed class ShownRings(IHost host, ulong device, int count)
{
    private readonly bool[] _shown = new bool[count];
    private readonly RingFiles[] _files = new RingFiles[count];

    /// <summary>Rings of the device.</summary>
    internal int Count => _shown.Length;

    /// <summary>Rings that are shown.</summary>
    internal int ShownCount => _shown.Count(static shown => shown);

    internal bool IsShown(int ring) => _shown[ring];

    /// <summary>Binds the rings that run and are not shown yet.</summary>
    /// <param name="origin">Whose rings.</param>
    /// <param name="target">Where they are bound.</param>
    /// <param name="added">The rings.</param>
    internal bool TryBind(Connection origin, IDeviceHost target, out bool[] added)
    {
        added = new bool[Count];
        Array.Fill(_files, new RingFiles(RingFiles.Keep, RingFiles.Keep));
        for (int i = 0; i < Math.Min(Count, origin.Session.RingCount); i++)
        {
            if (!_shown[i] && origin.Session.GetRing(i) is { IsInUse: true } ring)
            {
                added[i] = true;
                _files[i] = new RingFiles(DescriptorOf(i, RingEndpoint.Kick, ring.Kick), DescriptorOf(i, RingEndpoint.Call, ring.Call));
            }
        }

        return target.BindAll(_files);
    }

    /// <summary>Marks a ring that has been bound as one that the driver may use.</summary>
    internal void Show(int index) => _shown[index] = true;

    /// <summary>None is shown any more.</summary>
    internal void Clear() => Array.Clear(_shown);

    /// <summary>Binds another eventfd to a ring that is shown.</summary>
    internal bool TryRebind(int index, RingEndpoint endpoint, Ring ring, IDeviceHost target)
    {
        int descriptor = DescriptorOf(index, endpoint, endpoint == RingEndpoint.Kick ? ring.Kick : ring.Call);
        if (descriptor >= 0 && !target.Bind(index, endpoint, descriptor))
        {
            return false;
        }

        if (endpoint == RingEndpoint.Kick)
        {
            // The origin may have signalled the old one last.
            target.RaiseRing(index);
        }

        return true;
    }

    internal void UnbindAll(IDeviceHost target)
    {
        Array.Fill(_files, new RingFiles(RingFiles.None, RingFiles.None));
        _ = target.BindAll(_files);
    }

    /// <summary>Raises the interrupts of all rings that are shown: they may have been kicked while there was no driver.</summary>
    internal void RaiseAll(IDeviceHost target) => Raise(_shown, target);

    /// <summary>Raises the interrupts of some rings: their eventfds may have been signalled before they were bound.</summary>
    internal static void Raise(ReadOnlySpan<bool> which, IDeviceHost target)
    {
        for (int i = 0; i < which.Length; i++)
        {
            if (which[i])
            {
                target.RaiseRing(i);
            }
        }
    }

    private int DescriptorOf(int index, RingEndpoint endpoint, IPeerFile? file)
    {
        if (file is null)
        {
            return RingFiles.Keep;
        }

        host.Trace(TraceEvent.Bind, device, (ulong)index, (ulong)endpoint);
        return file.Descriptor;
    }
}
