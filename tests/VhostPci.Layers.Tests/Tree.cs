// SPDX-License-Identifier: GPL-2.0-or-later
using VhostPci.Linux.Tests;

namespace VhostPci.Layers.Tests;

/// <summary>The files of the checkout, without what builds leave there.</summary>
internal static class Tree
{
    private static readonly string[] Made = ["bin", "obj", "build", "TestResults", "__pycache__", ".git"];

    public static IEnumerable<string> Files(string folder = "")
    {
        string path = Checkout.PathOf(folder);
        foreach (string file in Directory.EnumerateFiles(path))
        {
            yield return file;
        }

        foreach (string name in Directory.EnumerateDirectories(path).Select(inner => Path.GetFileName(inner)).Where(name => !Made.Contains(name)))
        {
            foreach (string file in Files(Path.Combine(folder, name)))
            {
                yield return file;
            }
        }
    }
}
