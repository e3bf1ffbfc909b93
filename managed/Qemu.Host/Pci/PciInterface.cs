// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host.Generated;
using Qemu.Host.Generated.Pci;

namespace Qemu.Host.Pci;

/// <summary>The interface "pci" of a library, for <c>-device dotnet-pci,library=FILE</c>: <c>interop/dotnet_pci_abi.h</c>.</summary>
public static class PciInterface
{
    private static Func<PciOptions, PciDevice> _make = static _ => throw new InvalidOperationException();
    private static nint _host;

    /// <summary>For <see cref="QemuLibrary.Start"/>.</summary>
    /// <param name="make">
    /// Makes the model of a device that a user has asked for. A <see cref="PciOptionException"/> is QEMU's error, with its message.
    /// </param>
    public static QemuInterface For(Func<PciOptions, PciDevice> make)
        => new("pci", DotnetPciAbi.DOTNET_PCI_ABI_VERSION, Unsafe.SizeOf<dotnet_pci_host>(), host =>
        {
            _make = make;
            _host = host;
            return CreateTable();
        });

    // SAFETY: the memory is as large as the struct and never freed; the functions have exactly the types of its members.
    private static unsafe nint CreateTable()
    {
        var table = (dotnet_pci_api*)NativeMemory.AllocZeroed((nuint)sizeof(dotnet_pci_api));
        table->version = DotnetPciAbi.DOTNET_PCI_ABI_VERSION;
        table->size = (uint)sizeof(dotnet_pci_api);
        table->create = &Create;
        table->destroy = &Destroy;
        table->reset = &Reset;
        table->read = &Read;
        table->write = &Write;
        table->timer = &Timer;
        table->allocated = &Allocated;
        return (nint)table;
    }

    private static PciDevice? Find(ulong number) => QemuHost.Current.Find<PciDevice>(number);

    // SAFETY: pointers of the shim's. The device is valid until Destroy(), the others for the call.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Create(void* device, sbyte* options, dotnet_pci_plan* plan, ulong* number, dotnet_error* error)
        => Guard.Run((device: (nint)device, options: (nint)options, plan: (nint)plan, number: (nint)number), new ErrorText(error), static (a, text) =>
        {
            try
            {
                PciDevice model = Make(HostText.Read((sbyte*)a.options), (nint)a.device, out *(dotnet_pci_plan*)a.plan);
                *(ulong*)a.number = model.Number;
                return 0;
            }
            catch (PciOptionException exception)
            {
                return text.Refuse(Errno.InvalidArgument, exception.Message);
            }
        });

    private static PciDevice Make(string? text, nint device, out dotnet_pci_plan plan)
    {
        var options = new PciOptions(text);
        PciDevice model = _make(options);
        try
        {
            options.RefuseOthers();
            plan = PciPlan.Of(model);
            model.Number = QemuHost.Current.Register(model);
            model.Connect(new PciHost(_host, device));
            return model;
        }
        catch
        {
            model.Release();
            throw;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Destroy(ulong number) => Guard.Run(number, static number =>
    {
        if (Find(number) is { } model)
        {
            QemuHost.Current.Unregister(number);
            model.Connect(null);
            model.Release();
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Reset(ulong number) => Guard.Run(number, static number => Find(number)?.Reset());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong Read(ulong number, uint bar, ulong offset, uint size)
        => Guard.Run((number, bar, offset, size), ulong.MaxValue, static a => Find(a.number)?.Read((int)a.bar, a.offset, (int)a.size) ?? ulong.MaxValue);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Write(ulong number, uint bar, ulong offset, ulong value, uint size)
        => Guard.Run((number, bar, offset, value, size), static a => Find(a.number)?.Write((int)a.bar, a.offset, a.value, (int)a.size));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Timer(ulong number, uint timer) => Guard.Run((number, timer), static a => Find(a.number)?.Timers[(int)a.timer].Fire());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong Allocated() => (ulong)GC.GetTotalAllocatedBytes(precise: false);
}
