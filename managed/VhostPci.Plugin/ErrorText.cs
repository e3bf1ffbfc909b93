// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text.Unicode;
using VhostPci.Linux.Generated;

namespace VhostPci.Plugin;

/// <summary>Lines of text in and out of <c>struct vhost_pci_error</c>.</summary>
internal static unsafe class ErrorText
{
    /// <summary>Fills in the caller's error, cut at a character when it is too long.</summary>
    internal static void Write(vhost_pci_error* error, string text)
    {
        if (error == null)
        {
            return;
        }

        var bytes = new Span<byte>(error, VhostPciAbi.VHOST_PCI_ERROR_SIZE);
        _ = Utf8.FromUtf16(text.ReplaceLineEndings(" "), bytes[..^1], out _, out int written);
        bytes[written] = 0;
    }

    /// <summary>Reads what the host has filled in.</summary>
    internal static string Read(in vhost_pci_error error)
    {
        fixed (vhost_pci_error* start = &error)
        {
            ReadOnlySpan<byte> bytes = new(start, VhostPciAbi.VHOST_PCI_ERROR_SIZE);
            int end = bytes.IndexOf((byte)0);
            string text = System.Text.Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
            return text.Length == 0 ? "no reason given" : text;
        }
    }

    /// <summary>A C string of the host's.</summary>
    internal static string FromHost(sbyte* text, string whenMissing) => text == null ? whenMissing : Marshal.PtrToStringUTF8((nint)text) ?? whenMissing;
}
