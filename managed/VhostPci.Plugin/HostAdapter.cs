// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host;
using VhostPci.Device.Ports;

namespace VhostPci.Plugin;

/// <summary>QEMU as the device logic sees it.</summary>
internal sealed class HostAdapter(QemuHost qemu, in vhost_pci_host table) : IHost
{
    private readonly vhost_pci_host _table = table;

    internal ref readonly vhost_pci_host Table => ref _table;

    public ulong Register(IReactor reactor) => qemu.Register(new Target(reactor));

    public void Unregister(ulong number) => qemu.Unregister(number);

    public void Watch(ulong reactor, int descriptor, DescriptorEvents events) => qemu.Watch(reactor, descriptor, (FdEvents)events);

    public void ArmTimer(ulong reactor, uint milliseconds) => qemu.ArmTimer(reactor, milliseconds);

    public int CountUnclosed(ulong lane) => qemu.CountUnclosed(lane);

    public void CloseLater(ulong lane, int descriptor) => qemu.CloseLater(lane, descriptor);

    // SAFETY: the table is the shim's and stays; the function takes numbers only.
    public unsafe void Trace(TraceEvent traceEvent, ulong id, ulong a, ulong b) => _table.trace((uint)traceEvent, id, a, b);

    internal T? Find<T>(ulong number)
        where T : class, IReactor
        => qemu.Find<Target>(number)?.Reactor as T;

    /// <summary>The device logic knows no QEMU, so its objects cannot be QEMU's.</summary>
    private sealed class Target(IReactor reactor) : IHostObject
    {
        internal IReactor Reactor { get; } = reactor;

        public void OnReady(int descriptor, FdEvents events) => Reactor.OnReady(descriptor, (DescriptorEvents)events);

        public void OnTimer() => Reactor.OnTimer();
    }
}
