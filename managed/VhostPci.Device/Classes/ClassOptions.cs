// SPDX-License-Identifier: GPL-2.0-or-later
namespace VhostPci.Device.Classes;

/// <summary>What the user has said about a static device that only its class understands.</summary>
public abstract record ClassOptions;
