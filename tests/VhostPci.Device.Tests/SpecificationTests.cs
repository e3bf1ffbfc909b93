// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Numerics;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using VhostPci.Device.Devices;
using VhostPci.Device.Limits;
using VhostPci.Device.Origins;
using VhostPci.Device.Server;
using VhostPci.Device.Tests.Support;
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests;

/// <summary>The numbers and the names of states in <c>docs/reference/vhost-pci-spec.md</c> are those of the code.</summary>
public sealed partial class SpecificationTests
{
    private static readonly string Text = File.ReadAllText(Find());

    private static readonly Dictionary<string, ulong> Constants = new()
    {
        ["device id"] = NetGuestAbi.DeviceId,
        ["configuration version"] = GuestAbi.ConfigVersion,
        ["doorbell BAR"] = GuestAbi.DoorbellBar,
        ["doorbell stride"] = GuestAbi.DoorbellStride,
        ["window BAR"] = GuestAbi.WindowBar,
        ["window shared memory id"] = GuestAbi.WindowSharedMemoryId,
        ["least window"] = BridgePlanner.MinimumSlotSize,
        ["most rings"] = GuestAbi.MaxRings,
        ["link up"] = GuestAbi.LinkUp,
        ["driver down"] = GuestAbi.DriverDown,
        ["ring enabled"] = GuestAbi.RingEnabled,
        ["ring entry"] = GuestAbi.Ring.Size,
        ["device class"] = VirtioDeviceId.Net,
        ["header"] = GuestAbi.Config.Size,
        ["part of vhost-pci-net"] = NetGuestAbi.Config.Size,
        ["ring table"] = NetConfigAt.Rings,
        ["message header"] = MessageHeader.Size,
        ["most payload"] = MessageHeader.MaxPayloadSize,
        ["most descriptors"] = MessageHeader.MaxDescriptors,
        ["memory regions"] = MemoryPayload.MaxRegions,
        ["device info"] = DeviceInfo.Size,
        ["device info request"] = (ulong)RequestCode.SetDeviceInfo,
        ["driver state"] = DriverState.Size,
        ["driver state request"] = (ulong)RequestCode.SetDriverState,
        ["driver state feature"] = (ulong)BitOperations.Log2(ProtocolFeatures.DriverState),
        ["link request"] = (ulong)BackEndRequest.SetLink,
        ["accept features request"] = (ulong)BackEndRequest.AcceptFeatures,
        ["extension feature"] = (ulong)BitOperations.Log2(ProtocolFeatures.VhostPci),
        ["message timeout"] = Budgets.MessageTimeout,
        ["silence timeout"] = Budgets.SilenceTimeout,
        ["ack warning"] = DeviceLink.AckTimeout,
    };

    [Fact]
    public void Every_constant_is_the_codes()
        => Assert.Equal(
            Constants.OrderBy(pair => pair.Key, StringComparer.Ordinal),
            Table("name").Select(row => KeyValuePair.Create(row[0], ulong.Parse(row[1], CultureInfo.InvariantCulture))).OrderBy(pair => pair.Key, StringComparer.Ordinal));

    [Fact]
    public void Numbers_in_words_are_those_of_the_constants()
    {
        Assert.Contains($"PCI 1af4:{0x1040 + NetGuestAbi.DeviceId:x4}", Text, StringComparison.Ordinal);
        Assert.Contains($"0x{(uint)RequestCode.SetDeviceInfo:x8}", Text, StringComparison.Ordinal);
        Assert.Contains($"ring_entry below {GuestAbi.Ring.Size}", Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("field", typeof(GuestAbi.Config), GuestAbi.Config.Size)]
    [InlineData("field of vhost-pci-net", typeof(NetGuestAbi.Config), NetGuestAbi.Config.Size)]
    [InlineData("field of a ring", typeof(GuestAbi.Ring), GuestAbi.Ring.Size)]
    public void Every_field_is_where_the_code_has_it(string heading, Type code, int end)
    {
        Dictionary<string, int> offsets = code.GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(field => field.Name != "Size")
            .ToDictionary(field => field.Name.ToUpperInvariant(), field => (int)field.GetRawConstantValue()!);
        int at = 0;
        foreach (string[] row in Table(heading))
        {
            // The header calls the number of entries "size".
            string name = row[0] == "size" ? "ENTRIES" : row[0].Replace("_", string.Empty, StringComparison.Ordinal).ToUpperInvariant();
            Assert.Equal((name, offsets[name]), (name, int.Parse(row[1], CultureInfo.InvariantCulture)));
            Assert.True(offsets.Remove(name));
            Assert.Equal((name, at), (name, int.Parse(row[1], CultureInfo.InvariantCulture)));
            at += int.Parse(row[2], CultureInfo.InvariantCulture);
        }

        Assert.Empty(offsets);
        Assert.Equal(end, at);
    }

    [Fact]
    public void The_states_of_a_connection_are_those_of_the_monitor()
    {
        string schema = File.ReadAllText(Find("native/qapi/vhost-pci.json")).Replace("\n#", " ", StringComparison.Ordinal);
        string text = Spaces().Replace(schema, " ");
        foreach (string[] row in Tables("state").SelectMany(table => table).Where(row => row[0] is not ("down" or "up" or "awaiting" or "no window" or "gone")))
        {
            Assert.Contains($" {row[0]}", text, StringComparison.Ordinal);
        }

        Assert.Equal(StatesOf<ConnectionState>(), Tables("state")[1].Select(static row => row[0].Replace('-', ' ')).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_states_of_a_device_are_those_of_the_code()
        => Assert.Equal(StatesOf<DeviceState>(), Tables("state")[0].Select(static row => row[0]).Order(StringComparer.Ordinal));

    private static IEnumerable<string> StatesOf<T>()
        where T : struct, Enum
        => Enum.GetNames<T>().Select(static name => JsonNamingPolicy.KebabCaseLower.ConvertName(name).Replace('-', ' ')).Order(StringComparer.Ordinal);

    private static List<string[]> Table(string firstHeading) => Assert.Single(Tables(firstHeading));

    private static List<List<string[]>> Tables(string firstHeading)
    {
        var tables = new List<List<string[]>>();
        List<string[]>? rows = null;
        foreach (string line in Text.Split('\n'))
        {
            string[] cells = [.. line.Trim('|').Split('|').Select(cell => cell.Trim())];
            if (!line.StartsWith('|'))
            {
                rows = null;
            }
            else if (cells[0] == firstHeading)
            {
                rows = [];
                tables.Add(rows);
            }
            else if (!line.StartsWith("|---", StringComparison.Ordinal))
            {
                rows?.Add(cells);
            }
        }

        return tables;
    }

    internal static string Find(string path = "docs/reference/vhost-pci-spec.md")
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, path);
            if (File.Exists(candidate))
            {
                return candidate;
            }
        }

        string root = Environment.GetEnvironmentVariable("VHOST_PCI_SOURCE")
            ?? throw new InvalidOperationException("the tests run outside the checkout: set VHOST_PCI_SOURCE to its path");
        return Path.Combine(root, path);
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
