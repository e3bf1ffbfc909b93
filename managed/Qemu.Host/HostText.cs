// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;
using Qemu.Host.Generated;

namespace Qemu.Host;

/// <summary>Strings as C has them: UTF-8 that ends with a zero.</summary>
public static class HostText
{
    /// <summary>A string of QEMU's, valid for the call.</summary>
    /// <returns>Null for null.</returns>
    // SAFETY: the ABI says that it ends with a zero.
    public static unsafe string? Read(sbyte* text) => Marshal.PtrToStringUTF8((nint)text);

    /// <summary>What QEMU has filled in after a failed call.</summary>
    public static string Read(in dotnet_error error)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<dotnet_error>(in error));
        int end = bytes.IndexOf((byte)0);
        string text = Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
        return text.Length == 0 ? "no reason given" : text;
    }

    /// <summary>A string for QEMU: pin it for the call.</summary>
    /// <returns>Null for null.</returns>
    public static byte[]? Encode(string? text) => text is null ? null : Encoding.UTF8.GetBytes(text + "\0");
}
