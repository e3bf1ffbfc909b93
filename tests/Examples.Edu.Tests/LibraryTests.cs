// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Qemu.Host;
using Qemu.Host.Generated;
using Qemu.Host.Generated.Pci;
using Qemu.Host.Pci;

namespace Examples.Edu.Tests;

/// <summary>The library by its tables of functions, as QEMU calls it.</summary>
public sealed unsafe class LibraryTests
{
    private const nint Device = 0x1234;

    private static readonly List<string> Lines = [];
    private static readonly dotnet_pci_api* Api = Load();

    [Fact]
    public void A_device_is_made_called_and_given_back()
    {
        Assert.Equal(0, Create("dma_mask=0xfff", out dotnet_pci_plan plan, out ulong number, out _));
        Assert.Equal((0x1234, 0x11e8, 0x00ff00u, 1, 1, 1u), (plan.vendor_id, plan.device_id, plan.class_code, plan.interrupt_pin, plan.msi_vectors, plan.timers));
        Assert.Equal((1ul << 20, 4u, 8u), (plan.bars[0].size, plan.bars[0].access_min, plan.bars[0].access_max));
        Assert.Equal(0u, plan.bars[1].kind);

        Api->write(number, 0, 4, 1, 4);
        Assert.Equal(0xfffffffeul, Api->read(number, 0, 4, 4));
        Api->reset(number);
        Assert.Equal(0ul, Api->read(number, 0, 4, 4));

        Api->destroy(number);
        Assert.Equal(ulong.MaxValue, Api->read(number, 0, 4, 4));
        Api->write(number, 0, 4, 1, 4);
        Api->timer(number, 0);
        Api->reset(number);
        Api->destroy(number);
        Assert.Empty(Lines);
    }

    [Theory]
    [InlineData("mask=1", "this device takes dma_mask, throws")]
    [InlineData("throws=make", "made to fail")]
    [InlineData("throws=bar", "no BAR 6, but 0 to 5")]
    public void What_cannot_be_made_is_told_and_released(string options, string expected)
    {
        int released = Model.Released;

        Assert.True(Create(options, out _, out ulong number, out string error) < 0);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Equal(0ul, number);
        Assert.Equal(released + (options == "throws=make" ? 0 : 1), Model.Released);
        Lines.Clear();
    }

    [Fact]
    public void An_exception_of_a_model_goes_no_further()
    {
        Assert.Equal(0, Create("throws=call", out _, out ulong number, out _));

        Assert.Equal(ulong.MaxValue, Api->read(number, 0, 0, 4));
        Api->write(number, 0, 0, 0, 4);
        Api->timer(number, 99);
        Api->destroy(number);
        Assert.Equal(4, Lines.Count);
        Assert.All(Lines, line => Assert.Contains("libtest.so: internal error in ", line, StringComparison.Ordinal));
        Lines.Clear();
    }

    [Fact]
    public void Registers_allocate_nothing()
    {
        Assert.Equal(0, Create(null, out _, out ulong number, out _));
        Access(number);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            Access(number);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.NotEqual(0ul, Api->allocated());
        Api->destroy(number);
    }

    private static void Access(ulong number)
    {
        Api->write(number, 0, 0x04, 1, 4);
        Api->write(number, 0, 0x60, 1, 4);
        Api->write(number, 0, 0x64, 1, 4);
        Api->write(number, 0, 0x98, 1, 4);
        Api->read(number, 0, 0x00, 4);
        Api->timer(number, 0);
    }

    private static int Create(string? options, out dotnet_pci_plan plan, out ulong number, out string error)
    {
        dotnet_error text = default;
        plan = default;
        number = 0;
        fixed (byte* start = HostText.Encode(options))
        fixed (dotnet_pci_plan* wanted = &plan)
        fixed (ulong* result = &number)
        {
            int status = Api->create((void*)Device, (sbyte*)start, wanted, result, &text);
            error = status < 0 ? HostText.Read(in text) : string.Empty;
            return status;
        }
    }

    private static dotnet_pci_api* Load()
    {
        var host = new dotnet_host
        {
            version = DotnetHostAbi.DOTNET_HOST_ABI_VERSION,
            size = (uint)sizeof(dotnet_host),
            log = &Log,
            log_enabled = &LogEnabled,
        };
        var pci = (dotnet_pci_host*)NativeMemory.AllocZeroed((nuint)sizeof(dotnet_pci_host));
        pci->version = DotnetPciAbi.DOTNET_PCI_ABI_VERSION;
        pci->size = (uint)sizeof(dotnet_pci_host);
        pci->set_line = &SetLine;
        pci->vectors = &Vectors;
        pci->notify = &Notify;
        pci->dma_read = &TransferMemory;
        pci->dma_write = &TransferMemory;
        pci->clock = &Clock;
        pci->arm_timer = &ArmTimer;
        dotnet_api* api;
        void* table;
        Assert.Equal(0, QemuLibrary.Start("libtest.so", host.version, (nint)(&host), (nint)(&api), 0, PciInterface.For(static options => new Model(options))));
        fixed (byte* name = "pci\0"u8)
        {
            Assert.Equal(0, api->get_interface((sbyte*)name, DotnetPciAbi.DOTNET_PCI_ABI_VERSION, pci, &table, null));
        }

        return (dotnet_pci_api*)table;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Log(uint level, sbyte* text, uint length) => Lines.Add(Encoding.UTF8.GetString((byte*)text, (int)length));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint LogEnabled(uint level) => 1;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SetLine(void* device, uint level)
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static uint Vectors(void* device) => 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Notify(void* device, uint vector) => -22;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int TransferMemory(void* device, ulong address, void* buffer, ulong length) => -5;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long Clock() => 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void ArmTimer(void* device, uint timer, long deadline)
    {
    }

    /// <summary>The edu device, unless an option says that it throws.</summary>
    private sealed class Model : PciDevice
    {
        private readonly EduDevice _edu;
        private readonly bool _throws;

        internal Model(PciOptions options)
            : this(options, new EduDevice(options), options.Take("throws", string.Empty))
        {
        }

        private Model(PciOptions options, EduDevice edu, string throws)
            : base(throws == "bar" ? new PciDescription { VendorId = 1, DeviceId = 2, Bars = new Dictionary<int, PciBar> { [6] = new(PciBarKind.IO, 4) } } : edu.Description)
        {
            if (throws == "make")
            {
                throw new InvalidOperationException("made to fail");
            }

            _edu = edu;
            _throws = throws == "call";
            AddTimer(() => edu.Timers[0].Fire());
        }

        internal static int Released { get; private set; }

        public override ulong Read(int bar, ulong offset, int size) => _throws ? throw new InvalidOperationException() : _edu.Read(bar, offset, size);

        public override void Write(int bar, ulong offset, ulong value, int size)
        {
            if (_throws)
            {
                throw new InvalidOperationException();
            }

            _edu.Write(bar, offset, value, size);
        }

        public override void Reset() => _edu.Reset();

        public override void Release()
        {
            Released++;
            if (_throws)
            {
                throw new InvalidOperationException();
            }
        }
    }
}
