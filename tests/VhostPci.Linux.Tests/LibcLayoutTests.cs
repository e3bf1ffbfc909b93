// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VhostPci.Linux.Libc;
using VhostPci.Linux.Sockets;

namespace VhostPci.Linux.Tests;

/// <summary>The hand-written libc structs and constants against the system's headers.</summary>
public sealed class LibcLayoutTests
{
    private const string Includes = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <linux/magic.h>
        #include <poll.h>
        #include <stddef.h>
        #include <stdio.h>
        #include <sys/eventfd.h>
        #include <sys/mman.h>
        #include <sys/resource.h>
        #include <sys/socket.h>
        #include <sys/stat.h>
        #include <sys/uio.h>
        #include <sys/vfs.h>

        """;

    [Fact]
    public void ConstantsAreThoseOfTheHeaders()
    {
        FieldInfo[] constants = typeof(LibcConstants).GetFields(BindingFlags.Static | BindingFlags.NonPublic);
        Assert.NotEmpty(constants);

        string program = Includes + "int main(void)\n{\n"
            + string.Concat(constants.Select(static c => $"printf(\"{c.Name} %ld\\n\", (long){c.Name});\n")) + "return 0;\n}\n";

        Assert.Equal(
            CProgram.Run(program).Split('\n', StringSplitOptions.RemoveEmptyEntries),
            constants.Select(static c => string.Create(CultureInfo.InvariantCulture, $"{c.Name} {c.GetRawConstantValue()}")));
    }

    [Fact]
    public void StructsAreThoseOfTheHeaders()
    {
        (string C, int Managed)[] pairs =
        [
            ("sizeof(struct rlimit)", Unsafe.SizeOf<ResourceLimit>()),
            ("offsetof(struct rlimit, rlim_max)", Offset<ResourceLimit>(nameof(ResourceLimit.Hard))),
            ("sizeof(struct iovec)", Unsafe.SizeOf<IoVector>()),
            ("offsetof(struct iovec, iov_len)", Offset<IoVector>(nameof(IoVector.Length))),
            ("sizeof(struct msghdr)", Unsafe.SizeOf<MessageDescription>()),
            ("offsetof(struct msghdr, msg_namelen)", Offset<MessageDescription>(nameof(MessageDescription.NameLength))),
            ("offsetof(struct msghdr, msg_iov)", Offset<MessageDescription>(nameof(MessageDescription.Vectors))),
            ("offsetof(struct msghdr, msg_iovlen)", Offset<MessageDescription>(nameof(MessageDescription.VectorCount))),
            ("offsetof(struct msghdr, msg_control)", Offset<MessageDescription>(nameof(MessageDescription.Control))),
            ("offsetof(struct msghdr, msg_controllen)", Offset<MessageDescription>(nameof(MessageDescription.ControlLength))),
            ("offsetof(struct msghdr, msg_flags)", Offset<MessageDescription>(nameof(MessageDescription.Flags))),
            ("sizeof(struct cmsghdr)", Unsafe.SizeOf<ControlHeader>()),
            ("offsetof(struct cmsghdr, cmsg_level)", Offset<ControlHeader>(nameof(ControlHeader.Level))),
            ("offsetof(struct cmsghdr, cmsg_type)", Offset<ControlHeader>(nameof(ControlHeader.Type))),
            ("CMSG_LEN(0)", ControlBuffer.HeaderSize),
            ("CMSG_SPACE(sizeof(int))", ControlBuffer.Space(1)),
            ("CMSG_SPACE(8 * sizeof(int))", ControlBuffer.Space(8)),
            ("CMSG_SPACE(253 * sizeof(int))", ControlBuffer.Space(ControlBuffer.MaxDescriptors)),
            ("sizeof(struct ucred)", Unsafe.SizeOf<UserCredentials>()),
            ("offsetof(struct ucred, uid)", Offset<UserCredentials>(nameof(UserCredentials.Uid))),
            ("offsetof(struct ucred, gid)", Offset<UserCredentials>(nameof(UserCredentials.Gid))),
            ("sizeof(struct pollfd)", Unsafe.SizeOf<PollDescriptor>()),
            ("offsetof(struct pollfd, events)", Offset<PollDescriptor>(nameof(PollDescriptor.Events))),
            ("offsetof(struct pollfd, revents)", Offset<PollDescriptor>(nameof(PollDescriptor.Returned))),
            ("sizeof(struct statx)", Unsafe.SizeOf<ExtendedStat>()),
            ("offsetof(struct statx, stx_mode)", Offset<ExtendedStat>(nameof(ExtendedStat.Mode))),
            ("offsetof(struct statx, stx_size)", Offset<ExtendedStat>(nameof(ExtendedStat.Size))),
            ("sizeof(struct statfs64)", Unsafe.SizeOf<FileSystemStat>()),
            ("offsetof(struct statfs64, f_bsize)", Offset<FileSystemStat>(nameof(FileSystemStat.BlockSize))),
        ];

        string program = Includes + "int main(void)\n{\n"
            + string.Concat(pairs.Select(static p => $"printf(\"%s %ld\\n\", \"{p.C}\", (long)({p.C}));\n")) + "return 0;\n}\n";

        Assert.Equal(
            CProgram.Run(program).Split('\n', StringSplitOptions.RemoveEmptyEntries),
            pairs.Select(static p => string.Create(CultureInfo.InvariantCulture, $"{p.C} {p.Managed}")));
    }

    private static int Offset<T>(string field) => (int)Marshal.OffsetOf<T>(field);
}
