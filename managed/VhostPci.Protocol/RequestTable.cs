// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;

namespace VhostPci.Protocol;

/// <summary>The requests that a server takes: the one place where their bytes are read.</summary>
/// <param name="rows">One for each request.</param>
public sealed class RequestTable(IEnumerable<RequestRow> rows) : IMessageTable<Request>
{
    private readonly Dictionary<RequestCode, RequestRow> _rows = rows.ToDictionary(static row => row.Code);

    /// <summary>Finds the row of a request.</summary>
    /// <returns>False for a number that the server does not take.</returns>
    public bool TryGet(RequestCode code, [NotNullWhen(true)] out RequestRow? row) => _rows.TryGetValue(code, out row);

    /// <inheritdoc/>
    public Verdict CheckHeader(MessageHeader header, int descriptors)
    {
        if ((header.Flags & MessageFlags.Reply) != 0)
            return Verdict.Refuse("a reply where a request belongs");
        return TryGet(header.Request, out RequestRow? row)
            ? row.CheckHeader(header.PayloadSize, descriptors)
            : Verdict.Refuse(Explain((uint)header.Request));
    }

    /// <inheritdoc/>
    public Verdict Parse(MessageHeader header, ReadOnlySpan<byte> payload, int descriptors, out Request? message)
        => _rows[header.Request].Parse(payload, descriptors, out message);

    /// <summary>Why a request is not taken, for those of vhost-user that somebody may expect.</summary>
    private static string Explain(uint request)
        => request is 6 or 7 ? $"request {request} is about the dirty log, which was not offered: an origin cannot be migrated" : $"unknown request {request}";
}
