// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What happens in one step: a message of a front-end, or something in the mirror.</summary>
internal enum Act
{
    /// <summary>A request; which one is in <see cref="Step.Request"/>.</summary>
    Message,

    /// <summary>All that a front-end sends until its rings run.</summary>
    Start,

    /// <summary>The last message of this peer once more.</summary>
    Again,

    /// <summary>The rest of a message and the beginning of the next at once, long after the beginning of the first.</summary>
    Overlap,

    /// <summary>Bytes that are no message.</summary>
    Junk,

    Leave,

    /// <summary>An origin that is known by its address leaves, if it is there, and starts again.</summary>
    Return,

    /// <summary>From here on the peer does not read its replies.</summary>
    StopReading,

    DriverReady,
    DriverReset,

    /// <summary>The guest's firmware has found no place for the window.</summary>
    DriverReadyWithoutWindow,

    Acknowledge,
    AcknowledgeOther,

    /// <summary>The driver says which features it accepts and whether its interface is up.</summary>
    DriverSays,

    /// <summary>The mirror's user switches the link.</summary>
    SwitchLink,

    /// <summary>The guest lets a device go that it was asked for.</summary>
    Eject,

    /// <summary>device_del while the origin is there.</summary>
    Unplug,

    /// <summary>The host does not plug another device.</summary>
    BridgeFails,
    BridgeWorks,
    Time,
    Report,

    /// <summary>The drivers of both sides use a ring; a peer's memory can change at any time.</summary>
    UseRing,
}

/// <summary>What is wrong, or unusual, with the message of a step.</summary>
internal enum Flaw
{
    None,
    NeedReply,

    /// <summary>In two pieces, and the server looks in between.</summary>
    Split,

    /// <summary>The server looks only after more messages.</summary>
    Hold,
    FlippedBit,
    Truncated,
    TooLong,
    WrongSizeField,
    WrongFlags,
    NoFiles,
    MoreFiles,
    WrongFiles,

    /// <summary>The descriptors come with a later byte than the first.</summary>
    LateFiles,
}

/// <summary>One step of a run, as plain numbers: FsCheck makes them smaller when a run fails.</summary>
/// <param name="Act">What happens.</param>
/// <param name="Peer">To whom.</param>
/// <param name="Request">The request of a message.</param>
/// <param name="Index">A ring, mostly.</param>
/// <param name="Value">What the message carries; small numbers are sane.</param>
/// <param name="Flaw">What is wrong with the message.</param>
/// <param name="At">Where or how much.</param>
internal readonly record struct Step(Act Act, int Peer, RequestCode Request, uint Index, ulong Value, Flaw Flaw, int At)
{
    internal const int Peers = 3;

    public override string ToString()
        => Act == Act.Message ? $"{Peer}: {Request} {Index} {Value:x} {Flaw} {At}" : $"{Peer}: {Act} {Index} {Value:x} {Flaw} {At}";
}
