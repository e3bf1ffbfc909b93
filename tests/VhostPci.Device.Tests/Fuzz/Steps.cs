// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Makes sequences of steps, and smaller ones of a sequence that failed.</summary>
internal static class Steps
{
    internal const int Length = 80;

    private static readonly (int Weight, Act Act)[] Acts =
    [
        (52, Act.Message), (7, Act.Start), (2, Act.Again), (1, Act.Junk), (2, Act.Overlap), (2, Act.Leave), (2, Act.Return), (1, Act.StopReading), (5, Act.DriverReady), (2, Act.DriverReset),
        (1, Act.DriverReadyWithoutWindow), (9, Act.Acknowledge), (1, Act.AcknowledgeOther), (4, Act.DriverSays),
        (2, Act.SwitchLink), (4, Act.Eject), (1, Act.Unplug), (1, Act.BridgeFails),
        (3, Act.BridgeWorks), (2, Act.Time), (1, Act.Report), (5, Act.UseRing),
    ];

    private static readonly (int Weight, Flaw Flaw)[] Flaws =
    [
        (100, Flaw.None), (25, Flaw.NeedReply), (8, Flaw.Split), (8, Flaw.Hold), (2, Flaw.FlippedBit), (1, Flaw.Truncated), (1, Flaw.TooLong),
        (1, Flaw.WrongSizeField), (1, Flaw.WrongFlags), (1, Flaw.NoFiles), (1, Flaw.MoreFiles), (1, Flaw.WrongFiles), (1, Flaw.LateFiles),
    ];

    // What does not end a session comes more often.
    private static readonly (int Weight, RequestCode Request)[] Requests =
    [
        .. Enum.GetValues<RequestCode>().Where(static code => code != RequestCode.None).Select(static code => (code switch
        {
            RequestCode.SetVringKick or RequestCode.SetVringCall or RequestCode.SetVringEnable or RequestCode.GetVringBase => 6,
            RequestCode.SetVringAddress or RequestCode.AddMemoryRegion or RequestCode.RemoveMemoryRegion => 5,
            RequestCode.SetFeatures or RequestCode.SetDeviceInfo => 1,
            _ => 2,
        }, code)),
        (1, (RequestCode)6),
    ];

    internal static Arbitrary<Step[]> Arbitrary { get; } = Arb.From(
        Gen.Choose(0, int.MaxValue - 1).Select(static seed => Make(new Random(seed))).ArrayOf(Length), Shrink);

    private static Step Make(Random random)
    {
        uint index = random.Next(60) switch
        {
            0 => (uint)random.Next(GuestAbi.MaxRings + 2),
            1 => (uint)random.Next(),
            < 15 => (uint)random.Next(6),
            _ => (uint)random.Next(2),
        };
        ulong value = random.Next(20) == 0 ? (ulong)random.NextInt64() : (ulong)random.Next(64);
        return new Step(Pick(random, Acts), random.Next(Step.Peers), Pick(random, Requests), index, value, Pick(random, Flaws), random.Next(4096));
    }

    private static T Pick<T>(Random random, (int Weight, T Item)[] items)
    {
        int at = random.Next(items.Sum(static item => item.Weight));
        foreach ((int weight, T item) in items)
        {
            at -= weight;
            if (at < 0)
            {
                return item;
            }
        }

        throw new InvalidOperationException();
    }

    /// <summary>The sequence without some of its steps.</summary>
    internal static IEnumerable<T[]> Shorter<T>(T[] steps)
    {
        for (int size = steps.Length / 2; size > 0; size /= 2)
        {
            for (int at = 0; at + size <= steps.Length; at += size)
            {
                yield return [.. steps[..at], .. steps[(at + size)..]];
            }
        }
    }

    private static IEnumerable<Step[]> Shrink(Step[] steps)
    {
        foreach (Step[] shorter in Shorter(steps))
        {
            yield return shorter;
        }

        for (int i = 0; i < steps.Length; i++)
        {
            foreach (Step simpler in Simpler(steps[i]))
            {
                yield return [.. steps[..i], simpler, .. steps[(i + 1)..]];
            }
        }
    }

    private static IEnumerable<Step> Simpler(Step step)
    {
        if (step.Flaw != Flaw.None)
        {
            yield return step with { Flaw = Flaw.None, At = 0 };
        }

        if (step.Index != 0)
        {
            yield return step with { Index = 0 };
        }

        if (step.Value != 0)
        {
            yield return step with { Value = 0 };
            yield return step with { Value = step.Value / 2 };
        }

        if (step.At != 0)
        {
            yield return step with { At = step.At / 2 };
        }

        if (step.Peer != 0)
        {
            yield return step with { Peer = 0 };
        }
    }
}
