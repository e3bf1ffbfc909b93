// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;
using VhostPci.Protocol;

namespace VhostPci.Device.Tests.Fuzz;

/// <summary>What is in the rings.</summary>
internal sealed partial class OriginModel
{
    private bool IsPacked => (Features & VirtioFeatures.RingPacked) != 0;

    internal bool RunsPacked => IsPacked && _rings.Exists(static ring => ring.HasRun);

    private bool IsSize(uint entries) => entries is > 0 and <= 32768 && (IsPacked || uint.IsPow2(entries));

    /// <summary>Where a ring stands that is shown.</summary>
    internal uint Position(int index)
        => IsPacked ? (TryFindPacked(_rings[index], out PackedModel? packed) ? packed.Find().Position : 0)
        : TryFindFile(_rings[index].Used + 2, sizeof(ushort), out ulong offset) ? contents[offset] : 0U;

    /// <summary>The memory is what says where the ring stands.</summary>
    private void FindPosition(RingModel ring)
    {
        if (IsPacked && TryFindPacked(ring, out PackedModel? packed))
        {
            (uint position, int rest, int count) = packed.Find();
            packed.Return(rest, count);
            mirror.Finished += count == 0 ? 0 : 1;
            (ring.Base, ring.HasBase) = (position | (position << 16), true);
        }
        else if (!IsPacked && TryFindFile(ring.Used + 2, sizeof(ushort), out ulong offset))
        {
            (ring.Base, ring.HasBase) = (contents[offset], true);
        }
    }

    /// <summary>The device is about to show the ring.</summary>
    internal void Show(RingModel ring)
    {
        if (IsPacked && ring is { HasBase: true, HasRun: false } && TryFindPacked(ring, out PackedModel? packed) && packed.Correct(ring.Base))
        {
            mirror.Corrected++;
        }

        mirror.Packed += IsPacked ? 1 : 0;
        ring.HasRun = true;
    }

    /// <summary>What the drivers on both sides do with a ring, or anybody who has the memory.</summary>
    /// <returns>The ring: one that was shown, if there is any.</returns>
    internal uint UseRing(Step step)
    {
        int[] shown = [.. Enumerable.Range(0, _rings.Count).Where(i => _rings[i].HasRun)];
        uint index = shown.Length == 0 ? step.Index : (uint)shown[step.Index % shown.Length];
        if (index >= _rings.Count || _rings[(int)index] is not { Size: > 0 } ring)
        {
            return index;
        }

        if (IsPacked && TryFindPacked(ring, out PackedModel? packed))
        {
            int count = 1 + (step.At % (int)ring.Size);
            packed.Use(count, (step.Value % 4) switch { 0 => count, 1 => 0, _ => count * (int)(step.Value % 64) / 64 });
        }
        else if (TryFindFile(ring.Used + 2, sizeof(ushort), out ulong offset))
        {
            contents[offset] = (ushort)step.Value;
        }

        return index;
    }

    private bool TryFindPacked(RingModel ring, [NotNullWhen(true)] out PackedModel? packed)
    {
        packed = TryFindFile(ring.Desc, 16UL * ring.Size, out ulong offset) ? new PackedModel(contents, offset, (int)ring.Size) : null;
        return packed is not null;
    }
}
