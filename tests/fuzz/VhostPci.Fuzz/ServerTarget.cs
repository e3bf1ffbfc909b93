// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Tests.Fuzz;
using VhostPci.Protocol;

namespace VhostPci.Fuzz;

/// <summary>A whole server against its model, as in the property tests, with steps that coverage has found and not chance.</summary>
internal static class ServerTarget
{
    private static readonly RequestCode[] Requests = Enum.GetValues<RequestCode>();
    private static readonly Reached Reached = new();

    internal static void Run(byte[] data)
    {
        var input = new Input(data);
        var steps = new List<Step>();
        while (!input.IsEmpty && steps.Count < 2 * Steps.Length)
        {
            steps.Add(ReadStep(ref input));
        }

        using var ports = new MemoryPorts();
        _ = ServerRun.Play(ports, [.. steps], Reached);
    }

    private static Step ReadStep(ref Input input)
    {
        // Twice as many values as acts: those above are messages, the most frequent ones.
        int act = input.Byte() % (2 * Enum.GetValues<Act>().Length);
        byte who = input.Byte();
        RequestCode request = Requests[input.Byte() % Requests.Length];
        byte flaw = input.Byte();
        ulong value = input.Byte();
        return new Step(
            act < Enum.GetValues<Act>().Length ? (Act)act : Act.Message,
            who % Step.Peers,
            request,
            (uint)(who >> 5),
            value < 128 ? value % 64 : input.UInt64(),
            flaw % 4 == 0 ? (Flaw)((flaw >> 2) % Enum.GetValues<Flaw>().Length) : Flaw.None,
            input.UInt16() % 4096);
    }
}
