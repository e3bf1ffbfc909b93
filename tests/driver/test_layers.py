# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of guest/linux, a part being NAME.c with NAME.h: none calls one above it, and the reference page's table says who may call whom."""
import functools
import graphlib
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "guest/linux"
PAGE = ROOT / "docs/reference/linux-driver.md"
MOST_LINES = 450
SHARED = {"vhost_pci_net", "queue", "round", "ring_types", "platform"}      # any part may use them, as far as that makes no circle

# What a header offers: functions, objects, structures with a body, enumerators and macros.
OFFERED = (r"^(?:[a-z][\w \t*]*?\b)?(vpnet_\w+|vpring_\w+|vpsegs_\w+)\s*[(;\[]", r"^DECLARE_\w+\((\w+)\)",
           r"^struct (vp\w+) \{", r"^\t(VP\w+),", r"^#define (VPNET_\w+|VPRING_\w+|vpring_\w+)")


@functools.cache
def text(path: pathlib.Path) -> str:
    """Without comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)


@functools.cache
def parts() -> dict[str, tuple[pathlib.Path, ...]]:
    return {name: tuple(sorted(SOURCES.glob(f"{name}.[ch]"))) for name in sorted({path.stem for path in SOURCES.glob("*.[ch]")
                                                                                if not path.name.endswith(".mod.c")})}


@functools.cache
def owners() -> dict[str, str]:
    """Which part offers a name."""
    found = {}
    for part, files in parts().items():
        for path in files:
            if path.suffix == ".h":
                for pattern in OFFERED:
                    found.update((name, part) for name in re.findall(pattern, text(path), re.M))
    return found


@functools.cache
def uses() -> dict[str, set[str]]:
    """Which other parts a part includes or names anything of."""
    graph = {}
    for part, files in parts().items():
        named = set()
        for path in files:
            named |= {owners()[word] for word in re.findall(r"\w+", text(path)) if word in owners()}
            named |= {pathlib.Path(name).stem for name in re.findall(r'^#include "(\w+\.h)"', text(path), re.M)}
        graph[part] = (named & set(parts())) - {part}
    return graph


def table() -> list[tuple[str, set[str]]]:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*) \|$", PAGE.read_text(), re.M)
    return [(name, set(re.findall(r"`(\w+)`", below))) for name, below in rows]


def test_the_sources_are_read():
    assert owners()["vpnet_start_xmit"] == "tx" and owners()["vpnet_publish"] == "queue" and owners()["vpring_pop"] == "ring"
    assert owners()["vpnet_ethtool_ops"] == "ethtool" and owners()["vpring_special_key"] == "ring_packed"
    assert {"poll", "link", "netdev"} <= set(uses()) and "tx" in uses()["netdev"] and "ring" in uses()["queue"]


def test_what_is_called_across_files_is_declared_in_the_header_of_its_file():
    for part, files in parts().items():
        for path in files:
            if path.suffix == ".c":
                for name in re.findall(r"^(?!static|module_|MODULE|DEFINE)[a-z][\w \t*]*?\b(\w+)\([^;]*?\)\s*\{", text(path), re.M):
                    assert owners().get(name) == part, f"{path.name}: {name}() is neither static nor in {part}.h"


def test_there_is_no_circle():
    try:
        graphlib.TopologicalSorter(uses()).prepare()
    except graphlib.CycleError as error:
        raise AssertionError("a circle: " + " <- ".join(error.args[1])) from None


def test_the_reference_page_says_the_same_from_top_to_bottom():
    rows = table()
    assert dict(rows) == {part: used - SHARED for part, used in uses().items()}
    for at, (name, below) in enumerate(rows):
        assert below <= {later for later, _ in rows[at + 1:]}, f"{name} stands below something that it calls"


def test_a_circle_would_be_seen():
    graph = {**uses(), "ring": uses()["ring"] | {"config"}}
    sorter = graphlib.TopologicalSorter(graph)
    try:
        sorter.prepare()
    except graphlib.CycleError:
        return
    raise AssertionError("config calls link, which calls ring")


def test_no_file_is_long():
    for files in parts().values():
        for path in files:
            assert path.read_text().count("\n") <= MOST_LINES, path.name
