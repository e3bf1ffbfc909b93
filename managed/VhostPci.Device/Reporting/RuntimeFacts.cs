// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json.Serialization;

namespace VhostPci.Device.Reporting;

/// <summary>What the runtime that carries the library says about itself.</summary>
/// <param name="Version">The library's version.</param>
/// <param name="Flavour"><c>nativeaot</c> or <c>coreclr</c>.</param>
/// <param name="AllocatedBytes">Managed bytes allocated since the start.</param>
/// <param name="Collections">Garbage collections since the start.</param>
/// <param name="HeapBytes">Managed heap now.</param>
/// <param name="FirstCallMicroseconds">How long the first call took as far as the library can see; the shim puts in its own figure, with loading.</param>
public readonly record struct RuntimeFacts(
    string Version,
    string Flavour,
    [property: JsonPropertyName("allocated")] long AllocatedBytes,
    int Collections,
    [property: JsonPropertyName("heap")] long HeapBytes,
    [property: JsonPropertyName("first-call-us")] long FirstCallMicroseconds);
