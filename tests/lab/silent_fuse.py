#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""silent_fuse.py SOCKET_FD COUNT FOLDER: a FUSE file system on FOLDER that answers until COUNT files are open and sent over the socket,
and never again after that. Mounted in its own namespace. Killing this process releases whoever waits for it."""
import array
import ctypes
import os
import signal
import socket
import struct
import sys
import threading

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1
LOOKUP, FORGET, GETATTR, OPEN, RELEASE, FLUSH, INIT, INTERRUPT = 1, 2, 3, 14, 18, 25, 26, 36
ROOT, FILE = 1, 2
ENOSYS = 38
SIZE = 16 << 20

libc = ctypes.CDLL(None, use_errno=True)


def attributes(node: int) -> bytes:
    mode = 0o40755 if node == ROOT else 0o100666
    return struct.pack("=6Q10I", node, SIZE, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode: int, node: int) -> tuple[int, bytes]:
    if opcode == INIT:
        return 0, struct.pack("=4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 65536, 1, 0, 0, *[0] * 8)
    if opcode == LOOKUP:
        return 0, struct.pack("=4Q2I", FILE, 0, 1000, 1000, 0, 0) + attributes(FILE)
    if opcode == GETATTR:
        return 0, struct.pack("=Q2I", 1000, 0, 0) + attributes(node)
    if opcode == OPEN:
        return 0, struct.pack("=Q2I", 7, 0, 0)
    # ENOSYS to a FLUSH would mean that there is never one to wait for
    return (0 if opcode in (FLUSH, RELEASE) else -ENOSYS), b""


def serve(device: int) -> None:
    while True:
        request = os.read(device, 1 << 17)
        if silent.is_set():
            signal.pause()
        _, opcode, unique, node = struct.unpack_from("=2I2Q", request)
        if opcode not in (FORGET, INTERRUPT):
            error, body = answer(opcode, node)
            os.write(device, struct.pack("=IiQ", 16 + len(body), error, unique) + body)


def check(what: str, result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


silent = threading.Event()


def main() -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    channel, count, folder = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
    check("unshare", libc.unshare(CLONE_NEWNS))
    check("make the mounts private", libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    check("mount", libc.mount(b"silent", folder.encode(), b"fuse", 0, options.encode()))
    # By another process: one that is killed with its own files open waits for itself
    opener = os.fork()
    if opener == 0:
        os.close(device)
        files = [os.open(f"{folder}/file", os.O_RDWR) for _ in range(count)]
        channel.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
        os._exit(0)
    threading.Thread(target=serve, args=(device,), daemon=True).start()
    os.waitpid(opener, 0)
    silent.set()
    channel.sendall(b".")
    signal.pause()


main()
