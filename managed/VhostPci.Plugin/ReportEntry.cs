// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qemu.Host;

namespace VhostPci.Plugin;

/// <summary>The entry of <c>struct vhost_pci_api</c> for the monitor.</summary>
internal static class ReportEntry
{
    // SAFETY: the table is ours and not yet anybody's.
    internal static unsafe void Fill(vhost_pci_api* api) => api->report = &Report;

    // SAFETY: the buffer is the shim's, size bytes, for the call; it is written through a span of that size only.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe long Report(uint format, sbyte* buffer, ulong size)
        => Guard.Run((format, buffer: HostPointer.To((byte*)buffer), size), (long)Errno.IO, static a =>
        {
            byte[] report = Write((vhost_pci_report_format)a.format);
            if (!a.buffer.IsNull && (ulong)report.Length <= a.size)
            {
                report.CopyTo(a.buffer.AsSpan((uint)report.Length));
            }

            return report.Length;
        });

    private static byte[] Write(vhost_pci_report_format format)
    {
        Plugin plugin = Plugin.Current;
        return format switch
        {
            vhost_pci_report_format.VHOST_PCI_REPORT_TEXT => plugin.Library.ReportText(plugin.GetRuntimeFacts(), verbose: false),
            vhost_pci_report_format.VHOST_PCI_REPORT_VERBOSE => plugin.Library.ReportText(plugin.GetRuntimeFacts(), verbose: true),
            vhost_pci_report_format.VHOST_PCI_REPORT_JSON => plugin.Library.ReportJson(plugin.GetRuntimeFacts()),
            _ => [],
        };
    }
}
