// SPDX-License-Identifier: GPL-2.0-or-later
namespace Qemu.Host;

/// <summary>A pointer that QEMU has handed in, in a form that lambdas and tuples can carry.</summary>
/// <remarks>Null is no special case: whoever uses it gets a <see cref="NullReferenceException"/>, which <see cref="Guard"/> makes a failed call of.</remarks>
/// <param name="address">Of what QEMU owns, valid for the call, or as long as the ABI says.</param>
public readonly struct HostPointer<T>(nint address)
    where T : unmanaged
{
    /// <summary>Whether there is nothing.</summary>
    public bool IsNull => address == 0;

    /// <summary>What it points at.</summary>
    // SAFETY: the ABI says that there is a T, aligned, for the call; this side has the layout that AbiLayoutTests compares.
    public unsafe ref T Value => ref *(T*)address;

    /// <summary>What begins there.</summary>
    /// <param name="length">As many elements as QEMU says that there are.</param>
    /// <exception cref="OverflowException">More than a span can have.</exception>
    // SAFETY: as Value; the length comes from QEMU in the same call.
    public unsafe Span<T> AsSpan(uint length) => new((void*)address, checked((int)length));
}

/// <summary>Makes them.</summary>
public static class HostPointer
{
    /// <summary>The same pointer.</summary>
    // SAFETY: nothing is read here.
    public static unsafe HostPointer<T> To<T>(T* pointer)
        where T : unmanaged
        => new((nint)pointer);
}
