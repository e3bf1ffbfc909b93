// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using VhostPci.Linux.Sockets;

namespace VhostPci.Linux.Tests;

/// <summary>The permissions of the socket's file, where others may put another file into its place.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ListenerTests : IDisposable
{
    private const UnixFileMode Everybody = (UnixFileMode)0x1b6; // 0666

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vhost-pci-test");

    private string Victim => Path.Combine(_folder.FullName, "victim");

    private string At => Path.Combine(_folder.FullName, "socket");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void ASocketGetsTheMode()
    {
        using Socket socket = Bind(At);

        Assert.True(new Listener((int)socket.Handle).TrySetMode(At, Everybody, out string error), error);
        Assert.Equal(Everybody, File.GetUnixFileMode(At));
    }

    [Fact]
    public void ASymbolicLinkIsNotFollowed()
    {
        File.WriteAllText(Victim, "secret");
        File.SetUnixFileMode(Victim, UnixFileMode.UserRead);
        File.CreateSymbolicLink(At, Victim);

        Assert.False(new Listener(-1).TrySetMode(At, Everybody, out string error));
        Assert.Contains("not a socket any more", error, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(Victim));
    }

    [Fact]
    public void ALinkToAnotherSocketIsNotFollowedEither()
    {
        using Socket socket = Bind(Victim);
        UnixFileMode before = File.GetUnixFileMode(Victim);
        File.CreateSymbolicLink(At, Victim);

        Assert.False(new Listener(-1).TrySetMode(At, Everybody, out _));
        Assert.Equal(before, File.GetUnixFileMode(Victim));
    }

    [Fact]
    public void AnotherFileIsLeftAlone()
    {
        File.WriteAllText(At, "secret");
        File.SetUnixFileMode(At, UnixFileMode.UserRead);

        Assert.False(new Listener(-1).TrySetMode(At, Everybody, out _));
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(At));
    }

    [Fact]
    public void AFileThatIsGoneIsSaid()
    {
        Assert.False(new Listener(-1).TrySetMode(At, Everybody, out string error));
        Assert.StartsWith(At, error, StringComparison.Ordinal);
    }

    private static Socket Bind(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        return socket;
    }
}
