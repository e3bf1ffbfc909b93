// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Protocol;

/// <summary>A piece of an origin's own RAM as its hypervisor has it, before it becomes a region on the wire.</summary>
/// <param name="GuestAddress">First byte, guest-physical.</param>
/// <param name="Length">Bytes.</param>
/// <param name="FileOffset">Byte in the file where it starts.</param>
/// <param name="FileDescriptor">The file; equal numbers are the same file.</param>
public readonly record struct MemorySection(ulong GuestAddress, ulong Length, ulong FileOffset, int FileDescriptor)
{
    /// <summary>Sorts sections by guest address and merges, in place, those that one mapping can show.</summary>
    /// <remarks>
    /// <para>
    /// Two are merged when they are in the same file at the same distance from their guest addresses and no other section lies
    /// between them. A gap (the PC's hole for VGA and option ROMs) then becomes part of the region: that is memory of the same
    /// file, which the back-end could have reached through the file anyway. It keeps an ordinary PC at two regions, and page alignment
    /// intact where the firmware has carved the RAM into pieces.
    /// </para>
    /// <para>Allocates nothing.</para>
    /// </remarks>
    /// <param name="sections">In: any order. Out: the first <paramref name="count"/> hold the result.</param>
    /// <param name="count">Sections left; 0 on refusal.</param>
    /// <returns>Refused when a section is empty or wraps around, or two overlap.</returns>
    public static Verdict Coalesce(Span<MemorySection> sections, out int count)
    {
        count = 0;
        foreach (ref readonly MemorySection section in sections)
        {
            if (section.Length == 0
                || section.Length > ulong.MaxValue - section.GuestAddress
                || section.Length > ulong.MaxValue - section.FileOffset)
            {
                return Verdict.Refuse($"memory section 0x{section.GuestAddress:x}+0x{section.Length:x} is empty or wraps around");
            }
        }

        sections.Sort(static (a, b) => a.GuestAddress.CompareTo(b.GuestAddress));

        int last = -1;
        foreach (MemorySection section in sections)
        {
            if (last >= 0)
            {
                MemorySection before = sections[last];
                if (before.GuestAddress + before.Length > section.GuestAddress)
                    return Verdict.Refuse($"memory sections at 0x{before.GuestAddress:x} and 0x{section.GuestAddress:x} overlap");
                if (before.IsSameMappingAs(section))
                {
                    sections[last] = before with { Length = section.GuestAddress + section.Length - before.GuestAddress };
                    continue;
                }
            }

            sections[++last] = section;
        }

        count = last + 1;
        return Verdict.Ok;
    }

    // The difference may wrap, in the same way for both.
    private bool IsSameMappingAs(MemorySection other)
        => FileDescriptor == other.FileDescriptor
            && unchecked(GuestAddress - FileOffset) == unchecked(other.GuestAddress - other.FileOffset);
}
