// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace Qemu.Host.Pci;

/// <summary>The user's <c>options=KEY=VALUE;KEY=VALUE</c>. The device takes those that it knows; whatever is left is an error that names them.</summary>
public sealed class PciOptions
{
    private readonly Dictionary<string, string> _values = [];
    private readonly SortedSet<string> _known = [];

    /// <summary>Parses the value of <c>options=</c>.</summary>
    /// <exception cref="PciOptionException">A part is not KEY=VALUE, or a key comes twice.</exception>
    public PciOptions(string? text)
    {
        foreach (string part in (text ?? string.Empty).Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw new PciOptionException($"'{part}' in options= is not KEY=VALUE");
            }

            if (!_values.TryAdd(part[..equals], part[(equals + 1)..]))
            {
                throw new PciOptionException($"'{part[..equals]}' is twice in options=");
            }
        }
    }

    /// <summary>An option's text.</summary>
    public string Take(string key, string unset)
    {
        _known.Add(key);
        return _values.Remove(key, out string? value) ? value : unset;
    }

    /// <summary>An option that is a number, decimal or with 0x.</summary>
    /// <exception cref="PciOptionException">It is no number of 64 bits.</exception>
    public ulong Take(string key, ulong unset)
    {
        string text = Take(key, string.Empty);
        bool hexadecimal = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return text.Length == 0 ? unset
            : ulong.TryParse(hexadecimal ? text[2..] : text, hexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value
            : throw new PciOptionException($"{key}={text} in options= is not a number such as 4096 or 0x1000");
    }

    /// <summary>An option that is on or off.</summary>
    /// <exception cref="PciOptionException">It is neither.</exception>
    public bool Take(string key, bool unset) => Take(key, string.Empty) switch
    {
        "" => unset,
        "on" => true,
        "off" => false,
        string other => throw new PciOptionException($"{key}={other} in options= is neither on nor off"),
    };

    /// <summary>To be called when the device has taken what it knows.</summary>
    /// <exception cref="PciOptionException">Something is left.</exception>
    public void RefuseOthers()
    {
        if (_values.Count > 0)
        {
            throw new PciOptionException($"options= has no '{string.Join("', '", _values.Keys)}'; " +
                (_known.Count == 0 ? "this device takes none" : $"this device takes {string.Join(", ", _known)}"));
        }
    }
}
