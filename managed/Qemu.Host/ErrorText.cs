// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text.Unicode;
using Qemu.Host.Generated;

namespace Qemu.Host;

/// <summary>Where an entry leaves one line for the user when it fails: a <c>struct dotnet_error</c> of the caller's, or nothing.</summary>
/// <param name="address">Valid for the call; 0: nobody wants to know.</param>
public readonly struct ErrorText(nint address)
{
    private readonly HostPointer<dotnet_error> _error = new(address);

    /// <summary>Where an entry leaves one line for the user.</summary>
    /// <param name="error">Valid for the call; null: nobody wants to know.</param>
    // SAFETY: nothing is read here.
    public unsafe ErrorText(dotnet_error* error)
        : this((nint)error)
    {
    }

    /// <summary>Leaves the text, cut at a character when it is too long.</summary>
    /// <param name="result">What the entry returns: see <see cref="Errno"/>.</param>
    /// <param name="text">One line that says what to do. Line ends in it become spaces.</param>
    /// <returns><paramref name="result"/>.</returns>
    public int Refuse(int result, string text)
    {
        if (!_error.IsNull)
        {
            Span<byte> bytes = MemoryMarshal.AsBytes(new Span<dotnet_error>(ref _error.Value));
            _ = Utf8.FromUtf16(text.ReplaceLineEndings(" "), bytes[..^1], out _, out int written);
            bytes[written] = 0;
        }

        return result;
    }
}
