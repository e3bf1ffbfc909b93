# SPDX-License-Identifier: GPL-2.0-or-later
import pathlib

import insnprofile

KALLSYMS = """ffffffff81000000 T first
ffffffff81000040 t second
ffffffff81000060 D data
ffffffffc0000000 t in_module\t[vhost_pci_net]
"""


def test_an_address_belongs_to_the_function_before_it():
    symbols = insnprofile.Symbols(KALLSYMS)
    assert [symbols.name(address) for address in (0xffffffff81000000, 0xffffffff8100003f, 0xffffffff81000070, 0xffffffffc0000123)] == [
        "first", "first", "second", "in_module"]
    assert symbols.name(0xffffffff80000000) == "?"


def test_user_space_has_no_functions():
    assert insnprofile.Symbols(KALLSYMS).name(0x401000) == "(user space)"


def test_a_profile_is_the_difference_of_two_readings(tmp_path: pathlib.Path):
    def write(*slots: tuple[int, int, int]) -> None:
        (tmp_path / "file").write_bytes(b"".join(insnprofile.SLOT.pack(*slot) for slot in slots) + bytes(insnprofile.SLOT.size))

    profile = insnprofile.Profile(None, tmp_path / "file")
    write((0x1000, 4, 40), (0x2000, 5, 50))
    profile.start()
    # One block ran again, one did not, one is new.
    write((0x1000, 4, 48), (0x2000, 5, 50), (0x3000, 6, 6))
    assert profile.stop() == [(0x1000, 8, 2), (0x3000, 6, 1)]
