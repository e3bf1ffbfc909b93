// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace VhostPci.Device.Server;

/// <summary>Which users' processes may connect.</summary>
internal sealed class UidFilter
{
    private readonly uint[]? _uids;

    private UidFilter(uint[]? uids) => _uids = uids;

    /// <summary>The users, in the order that they were given; null when everybody may connect.</summary>
    internal IReadOnlyList<uint>? Uids => _uids;

    /// <summary>Reads <c>allow-uid=</c>: numbers with colons or commas between them.</summary>
    internal static bool TryParse(string? text, out UidFilter filter, out string error)
    {
        filter = new UidFilter(null);
        error = string.Empty;
        if (text is null)
        {
            return true;
        }

        var uids = new List<uint>();
        foreach (string part in text.Split(':', ','))
        {
            // The greatest number means "not known" to the kernel and to us.
            if (!uint.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out uint uid) || uid == uint.MaxValue)
            {
                error = $"allow-uid={text}: '{part}' is not a user's number; write allow-uid=0:1000 for users 0 and 1000";
                return false;
            }

            uids.Add(uid);
        }

        filter = new UidFilter([.. uids]);
        return true;
    }

    internal bool Allows(uint uid) => _uids is null || _uids.Contains(uid);

    /// <summary>Permission bits for the socket's file: its owner's, unless others are meant to come; those are then told apart by their uid.</summary>
    internal UnixFileMode SocketMode(uint owner)
    {
        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        const UnixFileMode Everybody = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        return _uids is null || _uids.All(uid => uid == owner || uid == 0) ? OwnerOnly : Everybody;
    }
}
