// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>How far the runs got: one that reaches nothing would prove nothing.</summary>
internal sealed class Reached
{
    private readonly Dictionary<string, long> _times = [];

    internal void Add(MirrorModel mirror)
    {
        Add("links up", mirror.LinksUp);
        Add("waits for the driver", mirror.Awaited);
        Add("pairs that joined", mirror.Pairs);
        Add("devices outgrown", mirror.Growths);
        Add("waits for a slot", mirror.Waits);
        Add("replies", mirror.Replies);
        Add("connections refused", mirror.Refusals);
        Add("origins that returned", mirror.Returns);
        Add("static devices adopted", mirror.Adoptions);
        Add("links switched off", mirror.Switches);
        Add("back-end requests", mirror.Told);
        Add("packed rings", mirror.Packed);
        Add("packed rings corrected", mirror.Corrected);
        Add("packed rings finished", mirror.Finished);
        Add("messages dumped", mirror.Dumped);
    }

    internal void Add(string what, long times) => _times[what] = _times.GetValueOrDefault(what) + times;

    /// <summary>Prints the counts.</summary>
    /// <param name="all">Whether each must have happened.</param>
    internal void Report(bool all)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", _times.Select(static pair => $"{pair.Value} {pair.Key}")));
        Assert.All(_times, pair => Assert.True(!all || pair.Value > 0, pair.Key));
    }
}
