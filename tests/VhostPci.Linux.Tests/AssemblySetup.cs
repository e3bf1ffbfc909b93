// SPDX-License-Identifier: GPL-2.0-or-later

// The tests count the descriptors of this process, so they cannot run beside each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
