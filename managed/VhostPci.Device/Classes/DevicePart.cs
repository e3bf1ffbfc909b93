// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Classes;

/// <summary>What a device class keeps of one device, and shows in its part of the configuration.</summary>
internal abstract class DevicePart
{
    /// <summary>Writes the part as it is in a new step.</summary>
    /// <param name="part">Where.</param>
    /// <param name="groups">Groups of rings that are shown.</param>
    internal abstract void Write(Span<byte> part, int groups);

    /// <summary>Takes what the guest may write to the part; everything else in it is ignored.</summary>
    /// <param name="written">The part as the guest has written it.</param>
    /// <param name="part">The part as the guest will read it.</param>
    /// <returns>Whether that is a change.</returns>
    internal virtual bool Take(ReadOnlySpan<byte> written, Span<byte> part) => false;

    /// <summary>The origin has gone, and the device is there for another.</summary>
    internal virtual void ForgetOrigin()
    {
    }

    /// <summary>The device has been released.</summary>
    internal virtual void Release()
    {
    }
}
