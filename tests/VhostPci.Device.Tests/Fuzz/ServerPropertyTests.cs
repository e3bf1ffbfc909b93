// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Tests.Fuzz;

/// <summary>Whatever front-ends and guests do, in whatever order: server, devices and descriptors are as the models say, after every step.</summary>
public sealed class ServerPropertyTests
{
    [Fact]
    public void A_server_in_memory_does_what_the_model_says()
    {
        var reached = new Reached();
        bool whole = Fuzzing.Run(Fuzzing.IsLong ? 10_000_000 : 100_000, Steps.Arbitrary, steps =>
        {
            using var ports = new MemoryPorts();
            return ServerRun.Play(ports, steps, reached);
        });
        reached.Report(whole);
    }

    [Fact]
    public void A_server_with_the_kernel_does_what_the_model_says()
    {
        using var files = new KernelPorts.Files();
        var reached = new Reached();
        bool whole = Fuzzing.Run(Fuzzing.IsLong ? 300_000 : 15_000, Steps.Arbitrary, steps =>
        {
            using var ports = new KernelPorts(files);
            return ServerRun.Play(ports, steps, reached);
        });
        reached.Report(whole);
    }
}
