// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VhostPci.Device.Ports;
using VhostPci.Linux.Generated;

namespace VhostPci.Plugin;

/// <summary>Entries of <c>struct vhost_pci_api</c> that belong to no object kind.</summary>
internal static unsafe class CommonEntries
{
    internal static void Fill(vhost_pci_api* api)
    {
        api->fd_ready = &FdReady;
        api->timer_fired = &TimerFired;
        api->report = &Report;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void FdReady(ulong number, int descriptor, uint events)
    {
        try
        {
            PluginState.Current?.Objects.Find<IReactor>(number)?.OnReady(descriptor, (DescriptorEvents)events);
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);

            // It may still be ready, and would then be reported again at once and for ever. A server listens again by its timer.
            PluginState.Current?.Objects.StopWatching(number, descriptor);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void TimerFired(ulong number)
    {
        try
        {
            PluginState.Current?.Objects.Find<IReactor>(number)?.OnTimer();
        }
        catch (Exception exception)
        {
            PluginState.Fault(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long Report(uint format, sbyte* buffer, ulong size)
    {
        try
        {
            if (PluginState.Current is not { } state)
            {
                return Errno.NoEntry;
            }

            byte[] report = (vhost_pci_report_format)format switch
            {
                vhost_pci_report_format.VHOST_PCI_REPORT_TEXT => state.Library.ReportText(state.GetRuntimeFacts(), verbose: false),
                vhost_pci_report_format.VHOST_PCI_REPORT_VERBOSE => state.Library.ReportText(state.GetRuntimeFacts(), verbose: true),
                vhost_pci_report_format.VHOST_PCI_REPORT_JSON => state.Library.ReportJson(state.GetRuntimeFacts()),
                _ => [],
            };
            if (buffer != null && (ulong)report.Length <= size)
            {
                report.CopyTo(new Span<byte>(buffer, report.Length));
            }

            return report.Length;
        }
        catch (Exception exception)
        {
            return PluginState.Fault(exception);
        }
    }
}
