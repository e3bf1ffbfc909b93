// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Protocol;
using VhostPci.Protocol.Net;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What the mirror's guest, or its user, does to a device.</summary>
internal static class GuestActs
{
    internal static void Do(Step step, DeviceModel model, FuzzDevice device)
    {
        switch (step.Act)
        {
            case Act.DriverReady:
                device.Device.SetStatus(0xf, 1UL << 32);
                model.DriverReady(hasWindow: true);
                break;
            case Act.DriverReadyWithoutWindow:
                device.Device.SetStatus(0xf, step.At % 2 == 0 ? ulong.MaxValue : step.Value % (1UL << 32));
                model.DriverReady(hasWindow: false);
                break;
            case Act.DriverReset:
                device.Device.SetStatus(0, 0);
                model.DriverReset();
                break;
            case Act.Acknowledge or Act.AcknowledgeOther:
                uint epoch = device.Epoch - (step.Act == Act.Acknowledge ? 0 : (uint)step.Value);
                byte[] config = device.Config.ToArray();
                // What else the guest writes must not matter.
                new Random(step.At).NextBytes(config);
                BitConverter.TryWriteBytes(config.AsSpan(GuestAbi.Config.Ack), epoch);
                device.Config[GuestAbi.Config.Driver..GuestAbi.Config.Features].CopyTo(config.AsSpan(GuestAbi.Config.Driver));
                device.Device.WriteConfig(config);
                device.Device.WriteConfig(config.AsSpan(0, step.At % GuestAbi.Config.Size));
                model.Acknowledge(epoch);
                break;
            case Act.DriverSays:
                byte[] said = device.Config.ToArray();
                ulong accept = (step.At % 4) switch
                {
                    0 => 0,
                    1 => VirtioNetFeatures.Offered,
                    2 => VirtioNetFeatures.Offered & ~(1UL << (int)(step.Value % 40)),
                    _ => step.Value,
                };
                uint driver = step.At / 4 % 4 == 3 ? step.Index : 0;
                BitConverter.TryWriteBytes(said.AsSpan(GuestAbi.Config.Accept), accept);
                BitConverter.TryWriteBytes(said.AsSpan(GuestAbi.Config.Driver), driver);
                uint acknowledged = BitConverter.ToUInt32(said, GuestAbi.Config.Ack);
                device.Device.WriteConfig(said);
                model.Acknowledge(acknowledged);
                model.DriverSays(accept, driver);
                break;
            case Act.SwitchLink:
                device.Device.SetLink(step.At % 2 == 0);
                model.SwitchLink(step.At % 2 == 0);
                break;
        }
    }
}
