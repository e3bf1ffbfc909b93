// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Device.Ports;
using VhostPci.Linux.Memory;

namespace VhostPci.Device.Tests.Support;

/// <summary>Real windows of a host that is out of addresses, or whose kernel does not map.</summary>
internal sealed class FailingWindows : IWindowFactory
{
    private readonly WindowFactory _real = new();

    internal bool ReserveFails { get; set; }

    internal bool MapFails { get; set; }

    /// <summary>Times that memory cannot be taken out of a window.</summary>
    internal int ClearFails { get; set; }

    /// <summary>Pages of the peers' files cannot be had.</summary>
    internal bool PagesMissing { get; set; }

    /// <summary>How often that was found.</summary>
    internal int PageChecks { get; private set; }

    internal FaultPlan? Plan { get; set; }

    public bool TryReserve(ulong size, out IWindow? window, out string error)
    {
        window = null;
        Plan?.Step();
        error = "no addresses are left";
        if (ReserveFails || !_real.TryReserve(size, out IWindow? real, out error))
        {
            return false;
        }

        window = new Window(this, real!);
        return true;
    }

    private sealed class Window(FailingWindows windows, IWindow real) : IWindow
    {
        public nint Address => real.Address;

        public ulong Size => real.Size;

        public ulong MappedBytes => real.MappedBytes;

        public bool TryMap(ulong at, IPeerFile file, ulong offset, ulong length, out string error)
        {
            windows.Plan?.Step();
            error = "the kernel does not map it";
            return !windows.MapFails && real.TryMap(at, file, offset, length, out error);
        }

        public ushort ReadUInt16(ulong at) => real.ReadUInt16(at);

        public bool TryReplaceUInt16(ulong at, ushort old, ushort value) => real.TryReplaceUInt16(at, old, value);

        public bool HasPages(ulong at, ulong length)
        {
            if (!windows.PagesMissing)
            {
                return real.HasPages(at, length);
            }

            windows.PageChecks++;
            return false;
        }

        public void Clear()
        {
            windows.Plan?.Step();
            if (windows.ClearFails > 0)
            {
                windows.ClearFails--;
                throw new InvalidOperationException("cannot withdraw memory from a window");
            }

            real.Clear();
        }

        public void Dispose() => real.Dispose();
    }
}
