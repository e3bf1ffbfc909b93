# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds LD_PRELOAD libraries that replace system calls of QEMU."""
import os
import pathlib
import subprocess


def environment(folder: pathlib.Path, source: pathlib.Path, **variables: object) -> dict[str, str]:
    """Builds the library; returns an environment that preloads it and has the variables it reads."""
    library = folder / f"{source.stem}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-I", pathlib.Path(__file__).parent, "-o", library, source], check=True)
    return os.environ | {"LD_PRELOAD": str(library)} | {name: str(value) for name, value in variables.items()}
