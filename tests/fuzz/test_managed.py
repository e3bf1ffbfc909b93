# SPDX-License-Identifier: GPL-2.0-or-later
"""The library's own targets: libFuzzer calls C# in its own process and is guided by what SharpFuzz has instrumented."""
import os
import pathlib
import subprocess

import pytest

from .conftest import CLANG, ROOT


@pytest.fixture(scope="module")
def program(out: pathlib.Path) -> list[str]:
    runtime = subprocess.run([CLANG, "-print-resource-dir"], capture_output=True, check=True, text=True).stdout.strip()
    library = out / "libfuzzer.so"
    subprocess.run([CLANG, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, ROOT / "tests/fuzz/libfuzzer.c",
                    f"{runtime}/lib/linux/libclang_rt.fuzzer_no_main-x86_64.a", "-lstdc++", "-lm", "-lpthread"], check=True)
    subprocess.run(["dotnet", "build", "-c", "Release", ROOT / "tests/fuzz/VhostPci.Fuzz", "-nodeReuse:false", "-p:UseSharedCompilation=false", "-v", "quiet"],
                   env={**os.environ, "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"}, check=True)
    return ["dotnet", str(ROOT / "build/managed/bin/VhostPci.Fuzz/release/VhostPci.Fuzz.dll"), str(library)]


def test_message_reader(program, fuzz):
    fuzz([*program, "reader"], "reader", max_len=512, least=2000)


def test_server(program, fuzz):
    """Steps of origins, guest and host, against the same model as the property tests."""
    fuzz([*program, "server"], "server", max_len=1024, least=200)
