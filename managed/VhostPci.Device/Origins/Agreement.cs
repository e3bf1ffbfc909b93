// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Classes;
using VhostPci.Protocol;

namespace VhostPci.Device.Origins;

/// <summary>What an origin's front-end has said about itself, and what both ends have agreed on.</summary>
internal sealed class Agreement(DeviceClaim claim) : IClassSession
{
    /// <summary>What kind of device the origin has.</summary>
    internal DeviceClass Class { get; private set; } = claim.DefaultClass;

    /// <summary>What is the class's of it.</summary>
    internal OriginPart Part { get; private set; } = claim.DefaultClass.CreateOriginPart();

    /// <summary>What GET_FEATURES has answered.</summary>
    internal ulong Offered { get; set; } = claim.DefaultClass.Offered;

    /// <summary>What the origin's driver acknowledged; null until then.</summary>
    internal ulong? Acknowledged { get; set; }

    public ulong Features => Acknowledged ?? 0;

    public bool HasFeatures => Acknowledged is not null;

    public ulong ProtocolFeatures { get; set; }

    /// <summary>The virtio device status.</summary>
    internal ulong Status { get; set; }

    internal DeviceInfo? Info { get; set; }

    /// <summary>Whether the front-end understands requests of ours, and so can negotiate again.</summary>
    internal bool IsExtended => HasProtocol(Protocol.ProtocolFeatures.VhostPci);

    internal bool IsPacked => (Features & VirtioFeatures.RingPacked) != 0;

    public DevicePart? DevicePart => claim.Device?.Part;

    internal bool HasProtocol(ulong bit) => (ProtocolFeatures & bit) != 0;

    /// <summary>Puts what was said about the origin into its device.</summary>
    internal void Introduce(IMirrorDevice device)
    {
        Part.Introduce(device.Part);
        device.ChangePart();
    }

    /// <summary>The origin has said that it has another kind of device, before anything depended on it.</summary>
    internal void SetClass(DeviceClass deviceClass)
    {
        Part.Release();
        Class = deviceClass;
        Part = deviceClass.CreateOriginPart();
        Offered = deviceClass.Offered;
    }
}
