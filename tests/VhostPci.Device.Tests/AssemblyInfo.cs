// SPDX-License-Identifier: GPL-2.0-or-later

// Descriptors are counted, and there is one table of them per process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
