// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Whatever a server says, and whenever it goes: the client believes only the handshake, and leaves nothing behind.</summary>
public sealed class ClientPropertyTests
{
    [Fact]
    public void A_client_in_memory_does_what_the_model_says()
    {
        var reached = new Reached();
        bool whole = Fuzzing.Run(Fuzzing.IsLong ? 1_000_000 : 20_000, ClientStep.Arbitrary, steps =>
        {
            using var ports = new MemoryPorts();
            return ClientRun.Play(ports, steps, reached);
        });
        reached.Report(whole);
    }

    [Fact]
    public void A_client_with_the_kernel_does_what_the_model_says()
    {
        using var files = new KernelPorts.Files();
        var reached = new Reached();
        bool whole = Fuzzing.Run(Fuzzing.IsLong ? 50_000 : 3_000, ClientStep.Arbitrary, steps =>
        {
            using var ports = new KernelPorts(files);
            return ClientRun.Play(ports, steps, reached);
        });
        reached.Report(whole);
    }
}
