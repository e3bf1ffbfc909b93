// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>A file that is only added to.</summary>
public interface IDumpFile : IDisposable
{
    /// <summary>Adds bytes at the end.</summary>
    /// <returns>False when the file system takes no more; nothing is added then.</returns>
    bool TryAppend(ReadOnlySpan<byte> bytes);
}
