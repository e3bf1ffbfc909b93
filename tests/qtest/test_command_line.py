# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong options: one line names the mistake, one says what to type."""
import os
import shutil
import subprocess

import pytest

from tests.lab import paths

SHARED = ["-object", "memory-backend-memfd,id=mem,size=64M,share=on", "-machine", "memory-backend=mem"]


def qemu(*args, machine="pc", env=None, binary=paths.QEMU) -> str:
    done = subprocess.run([str(binary), "-nodefaults", "-display", "none", "-accel", "qtest", "-M", machine, "-m", "64",
                           *args], capture_output=True, text=True, timeout=100, env=env)
    assert done.returncode == 1, done.stderr
    return done.stderr


def server(path, connections=",connections=4"):
    return ["-chardev", f"socket,id=s,server=on,wait=off{connections},path={path}"]


@pytest.mark.parametrize("args,expected", [
    (["-vhost-pci-server", "unix,chardev=s"], ["socket,chardev="]),
    (["-device", "vhost-pci-server"], ["needs chardev=", "connections=32"]),
    (["-vhost-pci-server", "socket,chardev=nope"], ["can't find value 'nope'"]),
    (["-chardev", "null,id=s", "-vhost-pci-server", "socket,chardev=s"], ["'s' is not a socket"]),
    (["-device", "vhost-pci-net"], ["plugged by a vhost-pci-server", "-vhost-pci-server socket"]),
    (["-device", "vhost-pci-net,x-object=4711"], ["vhost-pci"]),
    (["-device", "vhost-pci-net,server=nope"], ["no vhost-pci-server 'nope'", "must come first"]),
    (["-device", "virtio-net-pci,romfile=,vhost-pci-client=nope"], ["can't find value 'nope'"]),
    ([*SHARED, "-chardev", "null,id=c", "-device", "virtio-net-pci,romfile=,vhost-pci-client=c"],
     ["'c' is not a socket"]),
    *[([*SHARED, "-chardev", "socket,id=c,path=/nowhere,reconnect=9", "-device",
        f"virtio-net-pci,romfile=,vhost-pci-client=c,{queues}"], [expected]) for queues, expected in (
            ("mq=on,vhost-pci-queues=0", "between 1 and 32"),
            ("mq=on,vhost-pci-queues=33", "between 1 and 32"),
            ("vhost-pci-queues=4", "vhost-pci-queues=4 needs mq=on"))],
])
def test_wrong_option(args, expected):
    text = qemu(*args)
    for part in expected:
        assert part in text


@pytest.mark.parametrize("device", ["server", "static"])
def test_locked_memory(run, device):
    """mem-lock would fill the windows with real pages and pin the origins' memory."""
    text = qemu("-overcommit", "mem-lock=on", *(
        [*server(run / "s"), "-vhost-pci-server", "socket,chardev=s"] if device == "server" else
        ["-chardev", f"socket,id=s,server=on,wait=off,path={run / 's'}", "-device", "vhost-pci-net,chardev=s"]))
    assert "does not work with locked memory" in text and "Leave -overcommit mem-lock=on away" in text


@pytest.mark.parametrize("extra,expected", [
    ([], "connections"),
    (["0"], "between 1 and 255"),
    (["256"], "between 1 and 255"),
])
def test_connections(run, extra, expected):
    connections = "".join(f",connections={n}" for n in extra)
    text = qemu(*server(run / "s", connections), "-vhost-pci-server", "socket,chardev=s")
    assert expected in text


def test_chardev_that_waits(run):
    text = qemu("-chardev", f"socket,id=s,server=on,wait=on,connections=4,path={run / 's'}")
    assert "wait=off" in text


def test_chardev_used_twice(run):
    text = qemu(*server(run / "s"), "-vhost-pci-server", "socket,chardev=s", "-vhost-pci-server", "socket,chardev=s")
    assert "in use" in text


def test_client_on_a_server_socket(run):
    text = qemu(*SHARED, *server(run / "s", ""), "-device", "virtio-net-pci,romfile=,vhost-pci-client=s")
    assert "must be a client" in text and "path=PATH" in text


def test_client_with_netdev(run):
    text = qemu(*SHARED, "-chardev", f"socket,id=c,reconnect=1,path={run / 'nobody'}", "-netdev", "hubport,id=h,hubid=0",
                "-device", "virtio-net-pci,romfile=,netdev=h,vhost-pci-client=c")
    assert "exclude each other" in text


def test_origins_memory_is_not_shared(run):
    private = ["-object", "memory-backend-memfd,id=m1,size=64M,share=off"]
    for memory, remedy in (
            ([], "Add -object memory-backend-memfd,id=mem,size=64M,share=on -machine memory-backend=mem"),
            ([*private, "-machine", "memory-backend=m1"], "Make it -object memory-backend-memfd,id=m1,size=64M,share=on"),
            ([*private, "-numa", "node,memdev=m1"], "Make the memory backends of its NUMA nodes memory-backend-memfd")):
        text = qemu("-chardev", f"socket,id=c,reconnect=1,path={run / 'nobody'}", *memory,
                    "-device", "virtio-net-pci,romfile=,vhost-pci-client=c")
        assert "memory is not shared" in text and remedy in text


@pytest.mark.parametrize("options,expected", [
    (",slot-size=1G", ["slot-size", "4"]),
    (",slot-size=5G", ["slot-size", "power of two"]),
    (",slot-size=256G", ["slot-size", "connections"]),
    (",slots=rp0:rp0:rp1:rp2", ["slots=rp0:rp1", "different"]),
    (",slots=rp0", ["connections=4", "1 buses"]),
    (",allow-uid=root", ["allow-uid=0:1000", "'root'"]),
    (",log-level=loud", ["log-level", "loud"]),
    (",unplug-delay=4294968", ["unplug-delay=4294968 is more than a day: 86400 seconds are the most"]),
    (",queues-max=33", ["queues-max=33 must be between 1 and 32"]),
    (",queues-max=0", ["queues-max=0 must be between 1 and 32"]),
])
def test_server_option(run, options, expected):
    text = qemu(*server(run / "s"), "-vhost-pci-server", f"socket,chardev=s{options}")
    for part in expected:
        assert part in text


@pytest.mark.parametrize("options,expected", [
    ("window-size=1G", ["window-size=1 GiB", "power of two"]),
    ("mac=01:00:00:00:00:01", ["group address"]),
])
def test_static_option(run, options, expected):
    text = qemu(*server(run / "s"), "-vhost-pci-server", "socket,chardev=s,id=vps",
                "-device", f"vhost-pci-net,server=vps,{options}")
    for part in expected:
        assert part in text


def test_library_is_missing(run):
    binary = run / "qemu"
    os.link(paths.QEMU, binary) if os.stat(paths.QEMU).st_dev == os.stat(run.path).st_dev \
        else shutil.copy(paths.QEMU, binary)
    text = qemu(*server(run / "s"), "-vhost-pci-server", "socket,chardev=s", binary=binary)
    assert "libvhostpci.so" in text and "VHOST_PCI_LIBRARY" in text


def test_library_is_another_one(run):
    env = dict(os.environ, VHOST_PCI_LIBRARY="libm.so.6")
    text = qemu(*server(run / "s"), "-vhost-pci-server", "socket,chardev=s", env=env)
    assert "has no dotnet_get_api" in text


def fake_library(run, source: str) -> dict[str, str]:
    """The environment with a library in C."""
    file, library = run / "fake.c", run / "libfake.so"
    file.write_text(f"#include <errno.h>\n#include <string.h>\n#include \"dotnet_host_abi.h\"\n{source}")
    subprocess.run(["gcc", "-shared", "-fPIC", "-I", str(paths.ROOT / "interop"), "-o", str(library), str(file)], check=True)
    return dict(os.environ, VHOST_PCI_LIBRARY=str(library))


def test_library_has_another_abi_version(run):
    """A library with another version reports that itself."""
    env = fake_library(run, """
        int dotnet_get_api(uint32_t version, const struct dotnet_host *host, const struct dotnet_api **api, struct dotnet_error *err)
        { strcpy(err->text, "this library is ABI version 0"); return -EPROTO; }
        """)
    assert "ABI version 0" in qemu(*server(run / "s"), "-vhost-pci-server", "socket,chardev=s", env=env)


@pytest.mark.parametrize("body, expected", [
    ('strcpy(err->text, "it has no interface of that name"); return -ENOENT;', "libfake.so: it has no interface of that name"),
    ("static uint32_t table[] = { 99, 8 }; *api = table; return 0;", "has version 99 (8 bytes) of the interface 'vhost-pci'"),
])
def test_library_has_other_devices(run, body, expected):
    """Any library can be loaded; what is asked of it is its interface for vhost-pci."""
    env = fake_library(run, f"""
        static int find(const char *name, uint32_t version, const void *host, const void **api, struct dotnet_error *err)
        {{ {body} }}
        static const struct dotnet_api api = {{
            .version = DOTNET_HOST_ABI_VERSION, .size = sizeof(api), .get_interface = find
        }};
        int dotnet_get_api(uint32_t version, const struct dotnet_host *host, const struct dotnet_api **out, struct dotnet_error *err)
        {{ *out = &api; return host->library && host->size == sizeof(*host) ? 0 : -EPROTO; }}
        """)
    assert expected in qemu(*server(run / "s"), "-vhost-pci-server", "socket,chardev=s", env=env)


def test_help_lists_the_options():
    done = subprocess.run([str(paths.QEMU), "-vhost-pci-server", "help"], capture_output=True, text=True, timeout=100)
    for option in ("chardev", "slot-size", "allow-unsealed", "allow-uid", "log-level"):
        assert option in done.stdout
