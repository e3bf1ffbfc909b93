// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;

// Descriptors are counted, and there is one table of them per process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

// The models and the ports made of memory serve its targets, too.
[assembly: InternalsVisibleTo("VhostPci.Fuzz")]
