// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What happens to a client in one step.</summary>
internal enum ClientAct
{
    /// <summary>The server answers what was asked last.</summary>
    Answer,

    /// <summary>The server says something else.</summary>
    Reply,
    Junk,

    /// <summary>The server closes.</summary>
    ServerCloses,

    /// <summary>The server reads no more.</summary>
    ServerStopsReading,

    /// <summary>The server reads only when its client has waited for it.</summary>
    ServerReadsLate,
    ChardevConnects,
    ChardevDisconnects,
    Time,
    SetFeatures,
    SetMemory,
    SetRing,
    SetFile,
    GetBase,

    /// <summary>A connection, and all the right answers.</summary>
    Start,

    /// <summary>All rings are stopped.</summary>
    StopAll,
    Switch,
    Report,
}

/// <summary>One step, as plain numbers.</summary>
/// <param name="Act">What happens.</param>
/// <param name="Request">What a reply claims to answer.</param>
/// <param name="Index">A ring, mostly.</param>
/// <param name="Value">What is said; 0 is sane.</param>
/// <param name="Flaw">What is wrong with a reply.</param>
/// <param name="At">Where or how much.</param>
internal readonly record struct ClientStep(ClientAct Act, RequestCode Request, uint Index, ulong Value, Flaw Flaw, int At)
{
    private static readonly ClientAct[] Acts = Enum.GetValues<ClientAct>();

    private static readonly RequestCode[] Requests = Enum.GetValues<RequestCode>();

    private static readonly Flaw[] Flaws =
        [Flaw.FlippedBit, Flaw.Truncated, Flaw.TooLong, Flaw.WrongSizeField, Flaw.WrongFlags, Flaw.MoreFiles, Flaw.LateFiles];

    internal static Arbitrary<ClientStep[]> Arbitrary { get; } = Arb.From(
        Gen.Choose(0, int.MaxValue - 1).Select(static seed => Make(new Random(seed))).ArrayOf(60), Steps.Shorter);

    public override string ToString() => $"{Act} {Request} {Index} {Value:x} {Flaw} {At}";

    private static ClientStep Make(Random random) => new(
        random.Next(3) == 0 ? ClientAct.Answer : Acts[random.Next(Acts.Length)],
        random.Next(2) == 0 ? RequestCode.GetVringBase : Requests[random.Next(Requests.Length)],
        (uint)random.Next(4),
        random.Next(8) == 0 ? (ulong)random.NextInt64() : 0,
        random.Next(6) switch { 0 => Flaws[random.Next(Flaws.Length)], 1 => Flaw.Split, _ => Flaw.None },
        random.Next(4096));
}
