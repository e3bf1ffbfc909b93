// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Generated;

namespace VhostPci.Plugin;

/// <summary>QEMU as the device logic sees it, and the numbers under which QEMU knows the library's objects.</summary>
/// <remarks>Numbers count up and never come again, so a stale one finds nothing. All calls are made under QEMU's big lock.</remarks>
internal sealed unsafe class HostObjects(vhost_pci_host host) : IHost
{
    private readonly vhost_pci_host _host = host;
    private readonly Dictionary<ulong, IReactor> _reactors = [];
    private ulong _last;

    internal ref readonly vhost_pci_host Table => ref _host;

    public ulong Register(IReactor reactor)
    {
        _reactors.Add(++_last, reactor);
        return _last;
    }

    public void Unregister(ulong number) => _reactors.Remove(number);

    public void Watch(ulong reactor, int descriptor, DescriptorEvents events) => _host.watch_fd(reactor, descriptor, (uint)events);

    public void ArmTimer(ulong reactor, uint milliseconds) => _host.arm_timer(reactor, milliseconds);

    public int CountUnclosed(ulong lane) => (int)_host.unclosed(lane);

    public void CloseLater(ulong lane, int descriptor) => _host.close_later(lane, descriptor);

    public void Trace(TraceEvent traceEvent, ulong id, ulong a, ulong b) => _host.trace((uint)traceEvent, id, a, b);

    /// <summary>Ends the watch of an object that has failed; when it is gone the number may be another file's by now.</summary>
    internal void StopWatching(ulong number, int descriptor)
    {
        if (_reactors.ContainsKey(number))
        {
            Watch(number, descriptor, DescriptorEvents.None);
        }
    }

    /// <summary>Finds an object; allocates nothing.</summary>
    internal T? Find<T>(ulong number)
        where T : class, IReactor
        => _reactors.TryGetValue(number, out IReactor? reactor) ? reactor as T : null;
}
