// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>The host's half of one vhost-pci-net PCI device.</summary>
public interface IDeviceHost
{
    /// <summary>Asks the guest to let the device go (ACPI or SHPC request); may be repeated.</summary>
    bool TryUnplug(out string error);

    /// <summary>Raises the configuration interrupt; without DRIVER_OK nothing happens.</summary>
    void NotifyConfigChanged();

    /// <summary>Connects an eventfd to a ring's interrupt or doorbell; -1 disconnects.</summary>
    /// <returns>Whether it worked.</returns>
    bool Bind(int ring, RingEndpoint endpoint, int descriptor);

    /// <summary>Does the same for the first rings at once; the host changes its tables once, before this returns.</summary>
    /// <returns>Whether it worked.</returns>
    bool BindAll(ReadOnlySpan<RingFiles> files);

    /// <summary>Raises a ring's interrupt as if the origin had kicked.</summary>
    void RaiseRing(int ring);

    /// <summary>Events that the host has counted for a ring.</summary>
    RingCounters GetCounters(int ring);

    /// <summary>Whether an access to the window has found a page gone since the last call; all of it is anonymous since then.</summary>
    bool TakeWindowFault();
}

/// <summary>Which eventfd of a ring; the values of <c>enum vhost_pci_ring_fd</c>, named from the origin's side.</summary>
public enum RingEndpoint : uint
{
    /// <summary>The origin signals it: the mirror's interrupt.</summary>
    Kick = 0,

    /// <summary>The mirror's doorbell signals it: the origin's interrupt.</summary>
    Call = 1,

    /// <summary>Error reports of a back-end; unused by us.</summary>
    Error = 2,
}

/// <summary>The eventfds of a ring, by number; or <see cref="None"/> or <see cref="Keep"/>.</summary>
/// <param name="Kick">The origin signals it.</param>
/// <param name="Call">The mirror's doorbell signals it.</param>
public readonly record struct RingFiles(int Kick, int Call)
{
    /// <summary>Disconnect what is there.</summary>
    public const int None = -1;

    /// <summary>Leave what is there.</summary>
    public const int Keep = -2;
}

/// <summary>What the host has counted for one ring since the device was plugged.</summary>
/// <param name="Kicks">Sum of the values read from the kick eventfd.</param>
/// <param name="Interrupts">MSI-X messages sent for them.</param>
/// <param name="Doorbells">Doorbell writes that QEMU saw; 0 when KVM takes them in the kernel.</param>
public readonly record struct RingCounters(ulong Kicks, ulong Interrupts, ulong Doorbells);
