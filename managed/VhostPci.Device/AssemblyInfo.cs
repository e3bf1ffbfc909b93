// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("VhostPci.Device.Tests")]
