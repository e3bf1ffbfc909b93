# SPDX-License-Identifier: GPL-2.0-or-later
"""Libraries in C that are loaded into QEMU before all others and answer in the kernel's place."""
import os
import pathlib
import subprocess


def environment(folder: pathlib.Path, source: pathlib.Path, **variables: object) -> dict[str, str]:
    """Builds one; the environment of a QEMU that has it, with the variables that it reads."""
    library = folder / f"{source.stem}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-I", pathlib.Path(__file__).parent, "-o", library, source], check=True)
    return os.environ | {"LD_PRELOAD": str(library)} | {name: str(value) for name, value in variables.items()}
