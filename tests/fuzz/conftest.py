# SPDX-License-Identifier: GPL-2.0-or-later
"""Coverage-guided fuzzing: libFuzzer drives each target for a while, from the corpus in git and what earlier runs here have found."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "build/test/fuzz"
CLANG = "clang-14"
LONG = os.environ.get("VHOST_PCI_LONG") == "1"
# Of each target
SECONDS = int(os.environ.get("VHOST_PCI_FUZZ_SECONDS", 3600 if LONG else 20))
# For one input: a long run may be the last one on a busy machine.
INPUT_SECONDS = 300 if LONG else 20


@pytest.fixture(scope="session")
def out() -> pathlib.Path:
    """The folder for what is built and found; skips where clang has no libFuzzer."""
    if not shutil.which(CLANG):
        pytest.skip(f"no {CLANG}: install the packages clang-14 and libclang-rt-14-dev")
    OUT.mkdir(parents=True, exist_ok=True)
    probe = OUT / "probe.c"
    probe.write_text("int LLVMFuzzerTestOneInput(const char *data, long size) { return !data && !size; }\n", encoding="ascii")
    if subprocess.run([CLANG, "-fsanitize=fuzzer,address", "-o", probe.with_suffix(""), probe], capture_output=True, check=False).returncode:
        pytest.skip(f"{CLANG} has no libFuzzer: install the package libclang-rt-14-dev")
    return OUT


@pytest.fixture
def fuzz(out: pathlib.Path):
    """fuzz(command, name, max_len, least): runs a target; fails when it finds something, or comes to fewer runs than least."""
    def run(command: list[str | pathlib.Path], name: str, max_len: int, least: int, **more) -> None:
        found = out / name
        found.mkdir(exist_ok=True)
        log = out / f"{name}.log"
        with open(log, "w", encoding="utf-8") as file:
            status = subprocess.run(
                [*command, f"-max_total_time={SECONDS}", f"-max_len={max_len}", f"-timeout={INPUT_SECONDS}", "-print_final_stats=1",
                 f"-artifact_prefix={out}/{name}-", found, ROOT / "tests/fuzz/corpus" / name],
                cwd=out, stdout=file, stderr=subprocess.STDOUT, timeout=SECONDS + 300, check=False, **more).returncode
        text = log.read_text(encoding="utf-8", errors="replace")
        assert status == 0, f"an input broke it; 'Test unit written to' says which, and the target runs it alone:\n{text[-4000:]}"
        runs = int(re.search(r"stat::number_of_executed_units: (\d+)", text).group(1))
        print(f"{name}: {runs} runs in {SECONDS} s")
        assert runs >= least, f"{runs} runs in {SECONDS} s: it is stuck"
    return run
