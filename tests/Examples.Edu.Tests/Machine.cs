// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host.Pci;

namespace Examples.Edu.Tests;

/// <summary>A machine with one device: memory, a clock, an interrupt line. Enough to try a device without QEMU.</summary>
internal sealed class Machine : IPciHost
{
    private readonly Dictionary<int, long> _timers = [];
    private readonly PciDevice _device;

    internal Machine(PciDevice device)
    {
        _device = device;
        device.Connect(this);
        device.Reset();
    }

    public int EnabledVectors { get; set; }

    public long Now { get; private set; }

    internal byte[] Memory { get; } = new byte[1 << 16];

    internal bool Line { get; private set; }

    internal List<int> Messages { get; } = [];

    public void SetLine(bool high) => Line = high;

    public bool SendMessage(int vector)
    {
        if (EnabledVectors == 0)
        {
            return false;
        }

        Messages.Add(vector);
        return true;
    }

    public bool TryReadMemory(ulong address, Span<byte> destination)
    {
        if (address > (ulong)(Memory.Length - destination.Length))
        {
            return false;
        }

        Memory.AsSpan((int)address, destination.Length).CopyTo(destination);
        return true;
    }

    public bool TryWriteMemory(ulong address, ReadOnlySpan<byte> source)
    {
        if (address > (ulong)(Memory.Length - source.Length))
        {
            return false;
        }

        source.CopyTo(Memory.AsSpan((int)address));
        return true;
    }

    public void ArmTimer(int timer, long deadline)
    {
        _timers.Remove(timer);
        if (deadline >= 0)
        {
            _timers[timer] = deadline;
        }
    }

    /// <summary>Lets time pass, and timers run out.</summary>
    internal void Pass(long nanoseconds)
    {
        Now += nanoseconds;
        foreach (int due in _timers.Where(timer => timer.Value <= Now).Select(timer => timer.Key).ToArray())
        {
            _timers.Remove(due);
            _device.Timers[due].Fire();
        }
    }

    internal uint Read(ulong register) => (uint)_device.Read(0, register, 4);

    internal void Write(ulong register, uint value) => _device.Write(0, register, value, 4);
}
