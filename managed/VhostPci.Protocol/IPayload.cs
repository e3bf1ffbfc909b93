// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>A payload of fixed size. Its length and its parser belong to one type, so that no row of a table can mix two.</summary>
/// <typeparam name="TSelf">The payload.</typeparam>
public interface IPayload<TSelf>
    where TSelf : struct, IPayload<TSelf>
{
    /// <summary>Bytes on the wire.</summary>
    static abstract int Size { get; }

    /// <summary>Reads the payload.</summary>
    /// <returns>False when the length is not <see cref="Size"/>, or bits are set that nobody has defined.</returns>
    static abstract bool TryParse(ReadOnlySpan<byte> payload, out TSelf value);

    /// <summary>Writes the payload.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    void Write(Span<byte> destination);
}
