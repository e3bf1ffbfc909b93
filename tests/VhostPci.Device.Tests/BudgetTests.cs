// SPDX-License-Identifier: GPL-2.0-or-later
using System.Xml.Linq;
using VhostPci.Device.Limits;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;
using VhostPci.Linux.Sockets;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests;

/// <summary>One more than the budget is refused with a reason of its own, and everybody else is served.</summary>
public sealed class BudgetTests
{
    [Fact]
    public void A_connection_that_says_nothing_loses_its_place()
    {
        using var rig = new Rig(connections: 2);
        using FrontEnd speaks = rig.Connect();
        _ = speaks.Ask(RequestCode.GetFeatures);
        using FrontEnd silent = rig.Connect();
        rig.Host.Pump();
        rig.Host.Advance(Budgets.SilenceTimeout - 1);
        Assert.False(silent.IsClosed);
        rig.Host.Advance(1);
        Assert.True(silent.IsClosed);
        Assert.Contains("no message for 30 s", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);
        rig.Host.Advance(86_400_000);
        Assert.False(speaks.IsClosed);
        using FrontEnd next = rig.Connect();
        _ = next.Ask(RequestCode.GetFeatures);
        Assert.Equal(0, rig.Host.Timers);
    }

    [Fact]
    public void What_came_while_nobody_listened_was_in_time()
    {
        using var rig = new Rig();
        using Channel channel = rig.Listener.Connect();
        rig.Host.Pump();
        Assert.True(channel.TrySend(Message(RequestCode.SetOwner), [], 0));
        rig.Host.Advance(Budgets.SilenceTimeout);
        Assert.Single(rig.Server.Connections);
        Assert.Empty(rig.Log.Warnings);
    }

    [Fact]
    public void Each_message_has_its_time_from_its_own_beginning()
    {
        using var rig = new Rig();
        using Channel channel = rig.Listener.Connect();
        rig.Host.Pump();
        byte[] message = Message(RequestCode.SetOwner);
        Send(message.AsSpan(0, 5));
        rig.Host.Advance(4900);
        Send([.. message[5..], .. message[..5]]);
        rig.Host.Advance(4999);
        Assert.Single(rig.Server.Connections);
        Assert.Equal(1UL, rig.Server.Messages);
        rig.Host.Advance(1);
        Assert.Empty(rig.Server.Connections);
        Assert.Contains("incomplete message, timed out after 5 s", Assert.Single(rig.Log.Warnings), StringComparison.Ordinal);

        void Send(ReadOnlySpan<byte> bytes)
        {
            Assert.True(channel.TrySend(bytes, [], 0));
            rig.Host.Pump();
        }
    }

    [Fact]
    public void A_guest_that_fails_and_resets_without_end_writes_one_line()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        for (int i = 0; i < 1000; i++)
        {
            device.Device.SetStatus(0x83, ulong.MaxValue);
            device.Device.SetStatus(0, ulong.MaxValue);
        }

        Assert.Single(rig.Log.Warnings);
        for (int i = 0; i < 1000; i++)
        {
            device.Device.SetStatus(0x83, 0xe000_0000);
            device.Device.SetStatus(0x83, ulong.MaxValue);
            device.Device.SetStatus(0x83, FakeDevice.WindowAddress);
        }

        Assert.Equal(2, rig.Log.Warnings.Length);
    }

    [Fact]
    public void A_guest_that_never_acknowledges_is_complained_of_for_a_while()
    {
        using var rig = new Rig();
        using FrontEnd origin = rig.Connect();
        origin.Start();
        FakeDevice device = rig.Bridge.Last;
        device.StartDriver();
        for (int i = 0; i < 3 * Budgets.GuestLines; i++)
        {
            origin.AskBase(0);
            origin.AskBase(1);
            rig.Host.Advance(Devices.DeviceLink.AckTimeout);
            device.ResetDriver();
            origin.Run();
            device.StartDriver();
        }

        Assert.Equal(Budgets.GuestLines, rig.Log.Warnings.Length);
    }

    [Theory]
    [InlineData(Budgets.MaxUnplugDelay, true)]
    [InlineData(Budgets.MaxUnplugDelay + 1, false)]
    [InlineData(4_294_968, false)]
    [InlineData(uint.MaxValue, false)]
    public void An_unplug_delay_is_a_day_at_most(uint seconds, bool good)
    {
        using var rig = new Rig();
        ServerConfig config = rig.Server.Config with { UnplugDelay = seconds };
        bool created = rig.Library.TryCreateServer(rig.Bridge, new FakeListener(), config, out VhostPciServer? server, out string error);
        Assert.Equal(good, created);
        if (created)
        {
            Assert.Equal(seconds * 1000, server!.Config.UnplugMilliseconds);
            rig.Library.Destroy(server);
        }
        else
        {
            Assert.Equal($"unplug-delay={seconds} is more than a day: 86400 seconds are the most", error);
        }
    }

    [Fact]
    public void The_page_on_operation_has_the_same_numbers()
    {
        string text = File.ReadAllText(SpecificationTests.Find("docs/reference/operation.md"));
        foreach (string part in (string[])
            [
                $"{Budgets.ConnectionDescriptors} for a connection",
                $"(its socket, {MemoryPayload.MaxRegions} files of memory, {MessageHeader.MaxDescriptors} of a message under way, {Budgets.UnclosedDescriptors} being closed)",
                $"more than {Budgets.UnclosedDescriptors - MessageHeader.MaxDescriptors} descriptors that are being closed is not read until it has fewer, and ends when that takes {Budgets.UnclosedTimeout / 1000} s",
                $"{Budgets.PairDescriptors} for each queue pair",
                $"{Budgets.OtherDescriptors} for the rest of QEMU",
                $"128 + 32 x (49 + 4 x 32) = {Budgets.CountDescriptors(32, 32)} for 32 connections, and {Budgets.LeftDescriptors} for what {Budgets.ClosingPeers} that have ended can leave",
                $"those of {Budgets.ClosingPeers} connections, at most {Budgets.LeftDescriptors}",
                $"those of {Budgets.ClosingPeers} connections of this QEMU's clients, {1 + MessageHeader.MaxDescriptors} each",
                $"128 + 32 x (49 + 4) = {Budgets.CountDescriptors(32, 1)}",
                $"`queues-max=`, {GuestAbi.MaxQueuePairs} by default",
                $"2 x `connections=` + {Budgets.PlugBurst(0)} at once, then `plug-rate=` a minute, {Budgets.PlugRate} by default",
                $"{Budgets.SilenceTimeout / 1000} s from the accept",
                $"{Budgets.MessageTimeout / 1000} s from its first byte",
                $"{Budgets.MessagesPerTurn} for a connection, {Budgets.AcceptsPerTurn} new connections",
                $"{Budgets.LogLines} in {Budgets.LogPeriod.TotalSeconds} s; {Budgets.Accounts} users",
                $"{Budgets.GuestLines} for epochs without an ack",
                $"{Budgets.NewsBurst} at once, then 1 a second",
                $"| {Budgets.MaxUnplugDelay} s |",
            ])
        {
            Assert.Contains(part, text, StringComparison.Ordinal);
        }

        Assert.Equal(1, Budgets.NewsInterval.TotalSeconds);
        Assert.Equal(2 * 7, Budgets.PlugBurst(7) - Budgets.PlugBurst(0));
        Assert.Equal(16, Budgets.MostKept(32));
    }

    [Fact]
    public void Every_build_checks_its_arithmetic()
    {
        Assert.Throws<OverflowException>(static () => MemoryPayload.TableSize(int.MaxValue));

        // That was built in one way; the others take the same line, and it has no condition.
        string root = Path.GetDirectoryName(SpecificationTests.Find("Directory.Build.props"))!;
        XElement line = Assert.Single(XDocument.Load(Path.Combine(root, "Directory.Build.props")).Descendants("CheckForOverflowUnderflow"));
        Assert.Equal("true", line.Value);
        Assert.All(line.AncestorsAndSelf(), static element => Assert.Null(element.Attribute("Condition")));
        Assert.DoesNotContain(
            Directory.EnumerateFiles(Path.Combine(root, "managed"), "*.*", SearchOption.AllDirectories).Where(static file => file.EndsWith("proj", StringComparison.Ordinal) || file.EndsWith(".props", StringComparison.Ordinal)),
            static file => File.ReadAllText(file).Contains("CheckForOverflowUnderflow", StringComparison.Ordinal));
    }

    private static byte[] Message(RequestCode request)
    {
        byte[] message = new byte[MessageHeader.Size];
        MessageWriter.Write(message, request, MessageFlags.None, []);
        return message;
    }
}
