// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Ports;

/// <summary>Closes what peers have sent where nobody waits for it: such a close can last as long as the peer likes.</summary>
public interface ICloser
{
    /// <summary>How many descriptors of one lane are not closed yet.</summary>
    int CountUnclosed(ulong lane);

    /// <summary>Closes a descriptor some time. May be called from any thread.</summary>
    /// <param name="lane">Descriptors of one lane are closed one after the other, and hold up no other lane.</param>
    /// <param name="descriptor">Is the closer's from here on.</param>
    void CloseLater(ulong lane, int descriptor);
}
