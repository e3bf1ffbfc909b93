// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.ExceptionServices;

namespace VhostPci.Device.Common;

/// <summary>Runs all steps even if one fails, so that nothing is left behind.</summary>
internal static class AllSteps
{
    /// <summary>Runs the steps in order.</summary>
    /// <exception cref="Exception">The first step's that threw, after all have run.</exception>
    internal static void Run(params ReadOnlySpan<Action> steps)
    {
        ExceptionDispatchInfo? first = null;
        foreach (Action step in steps)
        {
            try
            {
                step();
            }
            catch (Exception exception)
            {
                first ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        first?.Throw();
    }

    /// <summary>Does the same with each item; the items are copied first, since a step may remove some.</summary>
    /// <exception cref="Exception">The first item's that threw, after all have had their turn.</exception>
    internal static void RunFor<T>(IEnumerable<T> items, Action<T> step) => Run([.. items.Select(item => (Action)(() => step(item)))]);
}
