// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>Something that the host's main loop calls back: it has a number in the host's eyes.</summary>
public interface IReactor
{
    /// <summary>A watched descriptor is ready (level-triggered).</summary>
    /// <param name="descriptor">The descriptor that was given to <see cref="IHost.Watch"/>.</param>
    /// <param name="events">What it is ready for.</param>
    void OnReady(int descriptor, DescriptorEvents events)
    {
    }

    /// <summary>The timer of <see cref="IHost.ArmTimer"/> has run out.</summary>
    void OnTimer()
    {
    }
}
