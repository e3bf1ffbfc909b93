// SPDX-License-Identifier: GPL-2.0-or-later
using Qemu.Host.Pci;

namespace Examples.Edu;

/// <summary>QEMU's edu device, by <c>docs/specs/edu</c> of QEMU: a few registers, an interrupt, DMA with a buffer of 4 KiB.</summary>
/// <remarks>
/// What differs from QEMU's own: the factorial is there at once, since a model has no thread, so the status never says that it is being computed.
/// A transfer outside of the buffer does nothing, and one of all of it works; in QEMU 7.2 both end the VM. A reset resets the registers.
/// </remarks>
public sealed class EduDevice : PciDevice
{
    private const uint InterruptWhenComputed = 0x80, FactorialCause = 0x001, DmaCause = 0x100;
    private const ulong DmaStart = 1, DmaToMemory = 2, DmaInterruptWhenDone = 4;
    private const ulong BufferStart = 0x40000;
    private const long TransferNanoseconds = 100_000_000;

    private readonly ulong _dmaMask;
    private readonly VirtualTimer _dmaTimer;
    private readonly byte[] _buffer = new byte[4096];
    private uint _liveness, _factorial, _status, _causes;
    private ulong _dmaSource, _dmaDestination, _dmaCount, _dmaCommand;

    /// <summary>Makes a device. Its only option is <c>dma_mask</c>: the address bits that its DMA has.</summary>
    public EduDevice(PciOptions options)
        : base(new PciDescription
        {
            VendorId = 0x1234,
            DeviceId = 0x11e8,
            ClassCode = 0x00ff00,
            Revision = 0x10,
            InterruptPin = InterruptPin.A,
            MsiVectors = 1,
            Bars = new Dictionary<int, PciBar> { [0] = new(PciBarKind.Memory32, Size: 1 << 20, Least: 4, Most: 8) },
        })
    {
        _dmaMask = options.Take("dma_mask", unset: (1UL << 28) - 1);
        _dmaTimer = AddTimer(Transfer);
    }

    /// <inheritdoc/>
    public override ulong Read(int bar, ulong offset, int size) => offset switch
    {
        < 0x80 when size != 4 => ulong.MaxValue,
        0x00 => 0x010000ed,
        0x04 => _liveness,
        0x08 => _factorial,
        0x20 => _status,
        0x24 => _causes,
        0x80 => _dmaSource,
        0x88 => _dmaDestination,
        0x90 => _dmaCount,
        0x98 => _dmaCommand,
        _ => ulong.MaxValue,
    };

    /// <inheritdoc/>
    public override void Write(int bar, ulong offset, ulong value, int size)
    {
        switch (offset)
        {
            case < 0x80 when size != 4: break;
            case 0x04: _liveness = ~(uint)value; break;
            case 0x08: ComputeFactorial((uint)value); break;
            case 0x20: _status = (uint)value & InterruptWhenComputed; break;
            case 0x60: Raise((uint)value); break;
            case 0x64: Acknowledge((uint)value); break;
            case >= 0x80 when (_dmaCommand & DmaStart) != 0: break;
            case 0x80: _dmaSource = value; break;
            case 0x88: _dmaDestination = value; break;
            case 0x90: _dmaCount = value; break;
            case 0x98 when (value & DmaStart) != 0:
                _dmaCommand = value;
                _dmaTimer.Start(TransferNanoseconds);
                break;
        }
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        (_liveness, _factorial, _status, _causes) = (0, 0, 0, 0);
        (_dmaSource, _dmaDestination, _dmaCount, _dmaCommand) = (0, 0, 0, 0);
        Array.Clear(_buffer);
    }

    /// <summary>Modulo 2^32, where nothing is left of the factorial of 34 and more: no number takes long.</summary>
    private void ComputeFactorial(uint number)
    {
        _factorial = number < 34 ? 1u : 0;
        for (uint factor = 2; factor <= number && _factorial != 0; factor++)
        {
            _factorial = unchecked(_factorial * factor);
        }

        if (_status == InterruptWhenComputed)
        {
            Raise(FactorialCause);
        }
    }

    private void Raise(uint causes)
    {
        _causes |= causes;
        if (_causes != 0 && !SendMessage(0))
        {
            SetLine(true);
        }
    }

    private void Acknowledge(uint causes)
    {
        _causes &= ~causes;
        SetLine(_causes != 0 && EnabledVectors == 0);
    }

    private void Transfer()
    {
        bool toMemory = (_dmaCommand & DmaToMemory) != 0;
        ulong start = unchecked((toMemory ? _dmaSource : _dmaDestination) - BufferStart);
        if (start <= (ulong)_buffer.Length && _dmaCount <= (ulong)_buffer.Length - start)
        {
            Span<byte> part = _buffer.AsSpan((int)start, (int)_dmaCount);
            _ = toMemory ? TryWriteMemory(_dmaDestination & _dmaMask, part) : TryReadMemory(_dmaSource & _dmaMask, part);
        }

        _dmaCommand &= ~DmaStart;
        if ((_dmaCommand & DmaInterruptWhenDone) != 0)
        {
            Raise(DmaCause);
        }
    }
}
