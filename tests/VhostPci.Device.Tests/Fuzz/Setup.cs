// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>How the server of a run is configured; follows from its steps, so that a run is made smaller with its setup.</summary>
/// <param name="UnplugDelay">Seconds in which an origin may return.</param>
/// <param name="Statics">Devices that are there from the start; the second is for an origin that never comes.</param>
/// <param name="Ports">slots=: buses of the user's with one device each; 0: the server's own bridge.</param>
/// <param name="Dump">Bytes that a dump has room for; negative: there is none.</param>
internal readonly record struct Setup(uint UnplugDelay, int Statics, int Ports, int Dump)
{
    internal const string Nobody = "nobody";

    internal static Setup Of(ReadOnlySpan<Step> steps)
    {
        int chance = steps.IsEmpty ? 0 : steps[0].At;
        return new Setup(
            UnplugDelay: chance % 2 == 1 ? 3U : 0,
            Statics: (chance / 2 % 4) switch { 2 => 1, 3 => 2, _ => 0 },
            Ports: chance / 8 % 4 == 3 ? Step.Peers : 0,
            Dump: (chance / 32 % 4) switch { 2 => 1 << 20, 3 => chance, _ => -1 });
    }
}
