// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;

namespace VhostPci.Device.Limits;

/// <summary>How much one peer, one user or the mirror's guest may take of what all share: every limit in one place (ADR 0026).</summary>
/// <remarks>The sums are explained in <c>docs/reference/operation.md</c>, and a test compares the numbers there with these.</remarks>
public static class Budgets
{
    /// <summary>Descriptors that the rest of the process has open, generously.</summary>
    public const uint OtherDescriptors = 128;

    /// <summary>
    /// Descriptors of a connection that it does not use any more and that are still being closed: with more, those of one message aside,
    /// nothing more of it is read (ADR 0025).
    /// </summary>
    public const uint UnclosedDescriptors = 32;

    /// <summary>Milliseconds after which a connection with too many is looked at again.</summary>
    public const uint UnclosedPause = 10;

    /// <summary>Milliseconds after which a connection ends whose descriptors do not close.</summary>
    public const uint UnclosedTimeout = 30_000;

    /// <summary>Descriptors of a connection without its rings: its socket, its memory, as many of a message that is under way, and those that are being closed.</summary>
    public const uint ConnectionDescriptors = 1 + MemoryPayload.MaxRegions + MessageHeader.MaxDescriptors + UnclosedDescriptors;

    /// <summary>Descriptors of a queue pair: a kick and a call eventfd for each of its two rings.</summary>
    public const uint PairDescriptors = 4;

    /// <summary>Descriptors that a process needs for connections with that many queue pairs each.</summary>
    public static ulong CountDescriptors(ulong connections, ulong pairs)
        => OtherDescriptors + (connections * (ConnectionDescriptors + (pairs * PairDescriptors)));

    /// <summary>Default of <c>plug-rate=</c>: new devices a minute for one user's origins; who returns to a device that is there costs nothing.</summary>
    public const uint PlugRate = 60;

    /// <summary>New devices that one user's origins can have at once before the rate counts: those of a full server twice, and some.</summary>
    public static int PlugBurst(uint connections) => (int)(2 * connections) + 32;

    /// <summary>Users of whom a server keeps account each by himself; all further ones share one account.</summary>
    public const int Accounts = 64;

    /// <summary>Messages about its driver that the mirror's guest can cause at once; then the latest state each <see cref="NewsInterval"/>.</summary>
    public const int NewsBurst = 10;

    /// <summary>After which one more message about the mirror's driver is sent.</summary>
    public static readonly TimeSpan NewsInterval = TimeSpan.FromSeconds(1);

    /// <summary>How many of a server's places are kept for users that have none, at most: half of them.</summary>
    public static int MostKept(uint connections) => (int)(connections / 2);

    /// <summary>Milliseconds that a message may take from its first byte to its last.</summary>
    public const uint MessageTimeout = 5000;

    /// <summary>Milliseconds in which a new connection must have said something, and after which one without device info and memory makes room for others.</summary>
    public const uint SilenceTimeout = 30_000;

    /// <summary>Messages of one connection in one turn of the main loop; the watch is level-triggered, so the rest is not lost.</summary>
    public const int MessagesPerTurn = 32;

    /// <summary>New connections in one turn of the main loop.</summary>
    public const int AcceptsPerTurn = 16;

    /// <summary>Milliseconds without new connections after the process has run out of descriptors, or after a fault of our own.</summary>
    public const uint AcceptPause = 100;

    /// <summary>
    /// Connections that have ended and whose descriptors do not close: with as many of origins nobody new is accepted, and with as many of
    /// servers none is spoken to (ADR 0025).
    /// </summary>
    public const int ClosingPeers = 32;

    /// <summary>Descriptors that they can have among them.</summary>
    public const uint LeftDescriptors = ClosingPeers * (ConnectionDescriptors + (GuestAbi.MaxQueuePairs * PairDescriptors));

    /// <summary>Milliseconds that a client waits for its server in one go, as for a stop of all rings; twenty times as long without gives it back.</summary>
    public const int ServerWait = 2000;

    /// <summary>Milliseconds that a client waits for room for one message.</summary>
    public const int SendTimeout = 1000;

    /// <summary>How often a server may stop or start its client's device in one <see cref="RequestPeriod"/>; what is too much is done later.</summary>
    public const int ServerRequests = 50;

    /// <summary>After which <see cref="ServerRequests"/> are allowed again.</summary>
    public static readonly TimeSpan RequestPeriod = TimeSpan.FromSeconds(10);

    /// <summary>Greatest <c>unplug-delay=</c> in seconds: a day.</summary>
    public const uint MaxUnplugDelay = 86_400;

    /// <summary>Log lines that one user's processes can cause in one <see cref="LogPeriod"/>.</summary>
    public const int LogLines = 10;

    /// <summary>After which <see cref="LogLines"/> lines are allowed again.</summary>
    public static readonly TimeSpan LogPeriod = TimeSpan.FromSeconds(10);

    /// <summary>Warnings about one kind of thing that the mirror's guest can cause with one device, for as long as the device is there.</summary>
    public const int GuestLines = 10;
}
