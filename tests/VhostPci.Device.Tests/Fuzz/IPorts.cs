// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What a descriptor is that a front-end sends.</summary>
internal enum FileKind
{
    /// <summary>An eventfd.</summary>
    Event,

    /// <summary>Memory as it must be.</summary>
    Memory,

    /// <summary>Memory that its owner may truncate.</summary>
    Unsealed,

    /// <summary>Memory without the right to write.</summary>
    ReadOnly,

    /// <summary>Something else.</summary>
    Other,
}

/// <summary>The surroundings of a run: made of memory, or of the kernel's sockets, memfds, eventfds and mappings.</summary>
internal interface IPorts : IDisposable
{
    /// <summary>Bytes of every memory file.</summary>
    internal const ulong MemorySize = 16UL << 20;

    IListener Listener { get; }

    IWindowFactory Windows { get; }

    /// <summary>A front-end that the server will find at its listener.</summary>
    /// <param name="memory">Whose memory it has: 0 to <see cref="Step.Peers"/> - 1.</param>
    IPeer Connect(int memory);

    /// <summary>The owner of a memory, or who else maps it, writes to it.</summary>
    void Write(int memory, Contents contents);

    /// <summary>Throws unless a memory holds this.</summary>
    void AssertHolds(int memory, Contents contents);

    /// <summary>A server for a client, and the client's channel to it.</summary>
    /// <param name="waiting">What becomes of the time that the client waits in vain.</param>
    (IPeer Server, IChannel Client) ConnectClient(Action<int> waiting);

    /// <summary>Whether the client can be let wait in vain without waiting really.</summary>
    bool TimeIsOurs { get; }

    /// <summary>An open eventfd of the host's, or memory.</summary>
    int Own(FileKind kind);

    /// <summary>Whether the number is an open eventfd now.</summary>
    bool IsOpenEvent(int descriptor);

    /// <summary>Descriptors that the server holds, its connections' sockets included; -1 when it cannot be told cheaply.</summary>
    int HeldByServer { get; }

    /// <summary>Throws unless everything is given back.</summary>
    void AssertNothingLeft();
}

/// <summary>The other end of a connection.</summary>
internal interface IPeer : IDisposable
{
    void Send(ReadOnlySpan<byte> bytes, IReadOnlyList<FileKind> files);

    /// <summary>The same when the other end has waited so long for it, or at <see cref="SendRest"/>. Only where time is ours.</summary>
    void SendLater(int milliseconds, ReadOnlySpan<byte> bytes, IReadOnlyList<FileKind> files);

    /// <summary>Has no room left, and makes some whenever the other end has waited so long for it. Only where time is ours.</summary>
    void ReadAfter(int milliseconds);

    /// <summary>Sends what nobody has waited for.</summary>
    void SendRest();

    /// <summary>Appends what has come, without waiting.</summary>
    /// <returns>False when the other end is closed and all has been read.</returns>
    bool Receive(List<byte> bytes);

    /// <summary>Bytes that the other end could still send while this one does not read; no limit that a test could reach when negative.</summary>
    int Room { get; }
}
