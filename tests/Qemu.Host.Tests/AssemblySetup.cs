// SPDX-License-Identifier: GPL-2.0-or-later

// As under QEMU's big lock, there is one caller at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
