// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>What a request must look like on the wire and how it is read: one row of the table in <c>docs/reference/protocol.md</c>.</summary>
/// <remarks>Only the methods below make rows; they take the payload's size and its parser from one type.</remarks>
public sealed class RequestRow
{
    private readonly Parser _parser;

    private RequestRow(RequestCode code, (int Min, int Max) payload, (int Min, int Max) descriptors, Parser parser, int reply)
    {
        Code = code;
        (MinPayload, MaxPayload) = payload;
        (MinDescriptors, MaxDescriptors) = descriptors;
        ReplyPayload = reply;
        _parser = parser;
    }

    private delegate Verdict Parser(ReadOnlySpan<byte> payload, int descriptors, out Request? request);

    /// <summary>Request number.</summary>
    public RequestCode Code { get; }

    /// <summary>Smallest payload in bytes.</summary>
    public int MinPayload { get; }

    /// <summary>Greatest payload in bytes.</summary>
    public int MaxPayload { get; }

    /// <summary>Fewest descriptors.</summary>
    public int MinDescriptors { get; }

    /// <summary>Most descriptors.</summary>
    public int MaxDescriptors { get; }

    /// <summary>Bytes of the request's own reply; 0 when it has none.</summary>
    public int ReplyPayload { get; }

    /// <summary>A request without payload.</summary>
    internal static RequestRow Empty(RequestCode code, Request request, int reply = 0)
    {
        return new RequestRow(code, (0, 0), (0, 0), Parse, reply);

        Verdict Parse(ReadOnlySpan<byte> payload, int descriptors, out Request? made)
        {
            made = request;
            return Verdict.Ok;
        }
    }

    /// <summary>A request without payload that is answered with a number.</summary>
    internal static RequestRow Question(RequestCode code, Request request) => Empty(code, request, U64Payload.Size);

    /// <summary>A request with a payload of fixed size.</summary>
    internal static RequestRow Of<T>(RequestCode code, Func<T, Request> make, (int Min, int Max) descriptors = default, int reply = 0)
        where T : struct, IPayload<T>
    {
        return new RequestRow(code, (T.Size, T.Size), descriptors, Parse, reply);

        Verdict Parse(ReadOnlySpan<byte> payload, int count, out Request? request)
        {
            request = T.TryParse(payload, out T value) ? make(value) : null;
            return request is null ? Verdict.Refuse($"{code} with unknown bits set") : Verdict.Ok;
        }
    }

    /// <summary>A request that says by itself whether a descriptor comes along.</summary>
    internal static RequestRow File(RequestCode code, Func<VringFile, Request> make)
    {
        return new RequestRow(code, (VringFile.Size, VringFile.Size), (0, 1), Parse, 0);

        Verdict Parse(ReadOnlySpan<byte> payload, int descriptors, out Request? request)
        {
            request = null;
            if (!VringFile.TryParse(payload, out VringFile file))
                return Verdict.Refuse($"{code} with unknown bits set");
            if (file.HasDescriptor != (descriptors == 1))
                return Verdict.Refuse($"{code} with {descriptors} descriptors against its own flag");

            request = make(file);
            return Verdict.Ok;
        }
    }

    /// <summary>A whole memory table, with a descriptor for each region.</summary>
    internal static RequestRow Table(RequestCode code, Func<MemoryRegion[], Request> make)
    {
        (int, int) sizes = (MemoryPayload.TableSize(1), MemoryPayload.TableSize(MemoryPayload.MaxRegions));
        return new RequestRow(code, sizes, (1, MemoryPayload.MaxRegions), Parse, 0);

        Verdict Parse(ReadOnlySpan<byte> payload, int descriptors, out Request? request)
        {
            Span<MemoryRegion> regions = stackalloc MemoryRegion[MemoryPayload.MaxRegions];
            bool fits = MemoryPayload.TryParseTable(payload, regions, out int count) && count == descriptors;
            request = fits ? make(regions[..count].ToArray()) : null;
            return fits ? Verdict.Ok : Verdict.Refuse($"{code} whose count does not fit its {payload.Length} bytes");
        }
    }

    /// <summary>Judges a request by its header and the descriptors that came with it, before a byte of payload is read.</summary>
    internal Verdict CheckHeader(uint payload, int descriptors)
    {
        if (payload < MinPayload || payload > MaxPayload)
            return Verdict.Refuse($"{Code} with {payload} bytes of payload");

        int least = MinDescriptors;
        int most = MaxDescriptors;
        if (MinPayload != MaxPayload)
        {
            // A table: how many come along is known from its size.
            uint more = payload - (uint)MinPayload;
            if (more % MemoryRegion.Size != 0)
                return Verdict.Refuse($"{Code} with {payload} bytes of payload");
            least = most = 1 + (int)(more / MemoryRegion.Size);
        }

        return descriptors < least || descriptors > most ? Verdict.Refuse($"{Code} with {descriptors} descriptors") : Verdict.Ok;
    }

    /// <summary>Reads a payload whose header has passed <see cref="CheckHeader"/>.</summary>
    /// <param name="payload">The whole payload.</param>
    /// <param name="descriptors">How many came along.</param>
    /// <param name="request">The request; null when refused.</param>
    internal Verdict Parse(ReadOnlySpan<byte> payload, int descriptors, out Request? request) => _parser(payload, descriptors, out request);
}
