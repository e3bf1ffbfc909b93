// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Support;

/// <summary>A clock that stands still until told.</summary>
internal sealed class FakeTime : TimeProvider
{
    internal long Milliseconds { get; set; }

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => Milliseconds;
}
