// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>Which messages one side takes, and how their bytes become typed ones.</summary>
/// <typeparam name="TMessage">What they become.</typeparam>
public interface IMessageTable<TMessage>
    where TMessage : class
{
    /// <summary>Judges a message by its header and the descriptors that came with it, before a byte of payload is read.</summary>
    Verdict CheckHeader(MessageHeader header, int descriptors);

    /// <summary>Reads a message whose header has passed <see cref="CheckHeader"/>.</summary>
    /// <param name="header">The header.</param>
    /// <param name="payload">As many bytes as the header says.</param>
    /// <param name="descriptors">How many came along.</param>
    /// <param name="message">The message; null when refused.</param>
    Verdict Parse(MessageHeader header, ReadOnlySpan<byte> payload, int descriptors, out TMessage? message);
}
