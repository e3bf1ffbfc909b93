// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Runs a property until so many messages were sent, from a seed that is printed.</summary>
/// <remarks>
/// VHOST_PCI_SEED repeats one batch; VHOST_PCI_LONG=1 makes it long; VHOST_PCI_MESSAGES says how long.
/// </remarks>
internal static class Fuzzing
{
    private const int SequencesPerBatch = 100;

    internal static bool IsLong => Environment.GetEnvironmentVariable("VHOST_PCI_LONG") == "1";

    private static ulong? Seed
        => ulong.TryParse(Environment.GetEnvironmentVariable("VHOST_PCI_SEED"), CultureInfo.InvariantCulture, out ulong seed) ? seed : null;

    private static long? Asked
        => long.TryParse(Environment.GetEnvironmentVariable("VHOST_PCI_MESSAGES"), CultureInfo.InvariantCulture, out long messages) ? messages : null;

    /// <summary>Sends at least <paramref name="messages"/> messages, in batches with seeds that count up.</summary>
    /// <param name="messages">How many, unless the environment says otherwise.</param>
    /// <param name="arbitrary">Makes the sequences.</param>
    /// <param name="play">Runs one; returns how many messages that was.</param>
    /// <returns>Whether it was the whole run, and not one batch or a shorter run that was asked for.</returns>
    internal static bool Run<T>(long messages, Arbitrary<T> arbitrary, Func<T, int> play)
    {
        ulong seed = Seed ?? (ulong)Random.Shared.NextInt64(1L << 40);
        long goal = Seed is null ? Asked ?? messages : 1;
        long sent = 0;
        long sequences = 0;
        ulong first = seed;
        var watch = Stopwatch.StartNew();
        for (; sent < goal; seed++)
        {
            Property property = Prop.ForAll(arbitrary, sequence =>
            {
                sent += play(sequence);
                sequences++;
            });
            // Another gamma would be another stream of numbers; with one, the seed says it all.
            Config config = Config.QuickThrowOnFailure.WithMaxTest(SequencesPerBatch).WithQuietOnSuccess(true)
                .WithReplay(new Replay(new Rnd(seed, 0x9e3779b97f4a7c15), Microsoft.FSharp.Core.FSharpOption<int>.None));
            try
            {
                Check.One(config, property);
            }
            catch (Exception exception)
            {
                throw new Xunit.Sdk.XunitException($"VHOST_PCI_SEED={seed} repeats this: {exception.Message}", exception);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{sent} messages in {sequences} sequences, VHOST_PCI_SEED={first} to {seed - 1}, {watch.Elapsed.TotalSeconds:f1} s"));
        return sent >= messages;
    }
}
