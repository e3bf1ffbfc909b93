// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Kinds of virtio devices (virtio 1.2, 5).</summary>
public static class VirtioDeviceId
{
    /// <summary>A network device.</summary>
    public const ushort Net = 1;
}
