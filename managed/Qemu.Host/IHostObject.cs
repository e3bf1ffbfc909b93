// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host;

/// <summary>An object that QEMU knows by a number: see <see cref="QemuHost.Register"/>.</summary>
/// <remarks>Called with QEMU's big lock held. An exception is logged and goes no further; of <see cref="OnReady"/> it also ends the watch.</remarks>
public interface IHostObject
{
    /// <summary>A descriptor of <see cref="QemuHost.Watch"/> is ready. While it is, this is called again.</summary>
    void OnReady(int descriptor, FdEvents events)
    {
    }

    /// <summary>The timer of <see cref="QemuHost.ArmTimer"/> has run out.</summary>
    void OnTimer()
    {
    }
}
