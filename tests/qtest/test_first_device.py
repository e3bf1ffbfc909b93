# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/guide/your-first-device.md as a reader follows it: its files and its commands, in a folder outside of the checkout."""
import os
import re
import subprocess

from tests.lab import paths

BLOCK = re.compile(r"^```(sh|cs|py)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = ["1234:11e8", "2 passed", "3 passed"]


def test_the_page(tmp_path):
    page = (paths.ROOT / "docs/guide/your-first-device.md").read_text(encoding="utf-8")
    script = ["set -eux"]
    for kind, name, text in BLOCK.findall(page):
        script.append(text if kind == "sh" else f"cat >{name} <<'END OF FILE'\n{text}END OF FILE")
    env = {**os.environ, "HOME": str(tmp_path), "VHOST_PCI_SOURCE": str(paths.ROOT), "NUGET_PACKAGES": os.path.expanduser("~/.nuget/packages"),
           "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1", "MSBUILDDISABLENODEREUSE": "1", "UseSharedCompilation": "false"}
    env.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(["bash"], input="\n".join(script), cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    at = 0
    for text in EXPECTED:
        at = done.stdout.index(text, at)
