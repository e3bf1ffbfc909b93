// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Support;

/// <summary>Each descriptor is closed as soon as it is handed over.</summary>
internal sealed class PromptCloser : ICloser
{
    public int CountUnclosed(ulong lane) => 0;

    public void CloseLater(ulong lane, int descriptor) => ThreadCloser.CloseNow(descriptor);
}
