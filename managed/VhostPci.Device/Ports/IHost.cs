// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>What any object of the library may ask of the process it lives in.</summary>
/// <remarks>QEMU in production (<c>struct vhost_pci_host</c>), a fake or a poll loop in tests.</remarks>
public interface IHost : ICloser
{
    /// <summary>Registers a reactor and returns its number, never 0 and not reused soon.</summary>
    ulong Register(IReactor reactor);

    /// <summary>Forgets a reactor; its watches and its timer must be gone already.</summary>
    void Unregister(ulong number);

    /// <summary>Watches a descriptor for a reactor; <see cref="DescriptorEvents.None"/> stops it.</summary>
    void Watch(ulong reactor, int descriptor, DescriptorEvents events);

    /// <summary>Arms the reactor's one-shot timer; 0 cancels it.</summary>
    /// <param name="reactor">The reactor's number.</param>
    /// <param name="milliseconds">Host time until <see cref="IReactor.OnTimer"/>.</param>
    void ArmTimer(ulong reactor, uint milliseconds);

    /// <summary>Fires a trace event of <c>native/trace-events</c>; allocates nothing.</summary>
    void Trace(TraceEvent traceEvent, ulong id, ulong a, ulong b);
}
