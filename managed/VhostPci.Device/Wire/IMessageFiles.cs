// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Wire;

/// <summary>The files that came with a message; what nobody takes is closed with it.</summary>
internal interface IMessageFiles
{
    /// <summary>Hands the file at <paramref name="index"/> over to the caller.</summary>
    IPeerFile Take(int index);

    /// <summary>The file at <paramref name="index"/>, for a look.</summary>
    IPeerFile Peek(int index);
}
