"""One program in one cell: ``python -I -S cell.py LIMITS_JSON < PROGRAM``; a line of JSON on stdout.

Standard library only, and nothing of this package: it is run by path.

What the cell is made of, all of it the kernel's own:

* a mount namespace whose root is a fresh tmpfs: system folders and Python are bound into it read-only,
  the only writable place is its /tmp, of a bounded size, gone with the cell;
* a network namespace without interfaces, its own IPC and host name;
* a process namespace: killing its first process kills every process in it, whatever they forked;
* another user than root, without capabilities or a way to regain them (no_new_privs);
* limits on address space, processor time, file size, open files and number of processes.

What it does not keep out: faults of the kernel itself (there is no system-call filter), reading what
the read-only system folders hold, and using up the machine's processor time within the limit.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn

_NEW = {"mount": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000}
_NEW_NET = 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
"""Number of the system call, for which the C library has no function."""
_SET_PDEATHSIG, _SET_NO_NEW_PRIVS, _SET_DUMPABLE = 1, 38, 4
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/lib32")
_DEVICES = ("null", "zero", "urandom")
_INNER_UID = 65534
_FIRST_FREE_UID = 1_610_612_736
"""Outside uids from here on belong to nobody; each cell of root's takes its own, so that its processes
are counted alone."""
_MOST_OUTPUT = 65536
_GRACE = 2.0
_RUNNER = """
import os, sys
report, nonce = int(sys.argv[1]), os.read(0, 64)
def say(kind, text):
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    os.write(report, (kind + " " + text).encode("utf-8", "backslashreplace")[:3000] + b"\\n")
with open("/program.py", encoding="utf-8") as stream:
    source = stream.read()
sys.argv = ["program.py"]
try:
    exec(compile(source, "program.py", "exec"), {"__name__": "__main__"})
except MemoryError:
    say("memory", "MemoryError")
    os._exit(1)
except SystemExit as error:
    say("exit", "it ended before its tests did (exit code %r)" % (error.code,))
    os._exit(1)
except BaseException as error:
    text = str(error).strip().splitlines()
    say("error", type(error).__name__ + (": " + text[0] if text else ""))
    os._exit(1)
os.write(report, b"passed " + nonce + b"\\n")
os._exit(0)
"""

libc = ctypes.CDLL(None, use_errno=True)


class CellError(Exception):
    """The cell could not be built."""


def main() -> int:
    limits = json.loads(sys.argv[1])
    program = sys.stdin.buffer.read()
    libc.prctl(_SET_PDEATHSIG, signal.SIGKILL)
    try:
        outcome = run(program, limits)
    except CellError as error:
        outcome = {"end": "no cell", "detail": str(error)}
    sys.stdout.write(json.dumps(outcome) + "\n")
    return 0


def run(program: bytes, limits: dict[str, Any]) -> dict[str, Any]:
    """How the program ended: end (passed, error, exit, time, memory, killed), detail, output, seconds."""
    as_root = os.geteuid() == 0
    outside = _FIRST_FREE_UID + os.getpid() if as_root else os.getuid()
    nonce = os.urandom(16).hex().encode()
    flags = _NEW_NET | _NEW["mount"] | _NEW["uts"] | _NEW["ipc"] | _NEW["pid"]
    group = os.getgid()
    if os.uname().machine not in _PIVOT_ROOT:
        raise CellError(f"not known how to change the root on {os.uname().machine}")
    unshare(flags if as_root else flags | _NEW["user"])
    if not as_root:
        write_id_map(outside, group)
    report_read, report_write = os.pipe()
    output_read, output_write = os.pipe()
    nonce_read, nonce_write = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        for end in (report_read, output_read, nonce_write):
            os.close(end)
        inside(program, limits, outside if as_root else 0, report_write, output_write, nonce_read)
    for end in (report_write, output_write, nonce_read):
        os.close(end)
    os.write(nonce_write, nonce)
    os.close(nonce_write)
    late = listen(child, {report_read: (said := bytearray()), output_read: (output := bytearray())}, limits)
    status, usage = os.wait4(child, 0)[1:]
    text = said.decode("utf-8", "replace")
    how, detail = judge(text, nonce.decode(), status, late, limits, usage)
    return {
        "end": how,
        "detail": detail,
        "output": output[-2000:].decode("utf-8", "replace"),
        "seconds": round(time.monotonic() - began, 3),
    }


def listen(child: int, pipes: dict[int, bytearray], limits: dict[str, Any]) -> bool:
    """Read both pipes until their ends or the time is over; whether it was over. All are dead then."""
    deadline = time.monotonic() + limits["seconds"]
    open_ends = set(pipes)
    late = False
    watch = os.pidfd_open(child)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            late = True
            break
        ready, _, _ = select.select([*open_ends, watch], [], [], left)
        for end in ready:
            if end == watch:
                continue
            block = os.read(end, 65536)
            if not block:
                open_ends.discard(end)
            # What is too much is read on, so that the writer does not wait, and thrown away.
            pipes[end] += block[: max(0, _MOST_OUTPUT - len(pipes[end]))]
        if watch in ready:
            break
    os.close(watch)
    os.kill(child, signal.SIGKILL)
    # With the first process all others of the cell die, and with them the last writers.
    stop = time.monotonic() + _GRACE
    while open_ends and (left := stop - time.monotonic()) > 0:
        for end in select.select(list(open_ends), [], [], left)[0]:
            block = os.read(end, 65536)
            if not block:
                open_ends.discard(end)
            pipes[end] += block[: max(0, _MOST_OUTPUT - len(pipes[end]))]
    return late


def judge(
    said: str, nonce: str, status: int, late: bool, limits: dict[str, Any], usage: resource.struct_rusage
) -> tuple[str, str]:
    # What comes behind that line may be the program's own words.
    ready = False
    for line in said.splitlines():
        kind, _, text = line.partition(" ")
        if kind == "passed" and text == nonce:
            return "passed", ""
        if kind == "ready":
            ready = True
        if kind == "no-cell" and not ready:
            raise CellError(text)
        if kind in ("memory", "exit", "error"):
            if "Cannot allocate memory" in text:
                kind = "memory"
            return kind, text
    if late:
        return "time", f"still running after {limits['seconds']:g} s"
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGXCPU or usage.ru_utime + usage.ru_stime > limits["seconds"]:
        return "time", f"more than {limits['seconds']:g} s of processor time"
    if number:
        return "killed", f"killed by {signal.Signals(number).name}"
    return "exit", "it ended before its tests did"


def inside(
    program: bytes, limits: dict[str, Any], uid: int, report: int, output: int, nonce: int
) -> NoReturn:
    """The first process of the cell: build it, give everything up, become the program."""
    try:
        os.setsid()
        furnish(program, limits, uid or None)
        os.dup2(nonce, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.set_inheritable(report, True)
        give_up(limits, uid)
        python = limits["python"]
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
        environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        os.write(report, b"ready\n")
        os.execve(python, [python, "-I", "-S", "-c", _RUNNER, str(report)], environment)
    except BaseException as error:
        os.write(report, f"no-cell {error}\n".encode())
    os._exit(3)


def furnish(program: bytes, limits: dict[str, Any], uid: int | None) -> None:
    """A root of its own: what Python needs, read-only, and a small /tmp."""
    mount("", "/", "", _REC | _PRIVATE)
    root = "/tmp" if os.path.isdir("/tmp") else "/mnt"
    size = f"size={limits['disk_mb']}m,nr_inodes=4096,mode=755"
    prefix = os.path.realpath(limits["prefix"])
    # The source of a bind may lie where the new root is mounted: hold it open before that.
    holds = {path: os.open(path, os.O_PATH) for path in (prefix,) if os.path.isdir(path)}
    mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, size)
    for path in _SYSTEM:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.isdir(path):
            bind(path, root + path)
    if not prefix.startswith("/usr/") and prefix != "/usr":
        bind(f"/proc/self/fd/{holds[prefix]}", root + prefix)
    os.mkdir(root + "/dev")
    for name in _DEVICES:
        os.close(os.open(f"{root}/dev/{name}", os.O_CREAT, 0o666))
        mount(f"/dev/{name}", f"{root}/dev/{name}", "", _BIND)
    with open(root + "/program.py", "wb") as stream:
        stream.write(program)
    os.chmod(root + "/program.py", 0o444)
    os.makedirs(root + "/tmp", exist_ok=True)
    os.mkdir(root + "/old")
    mount("tmpfs", root + "/tmp", "tmpfs", _NOSUID | _NODEV, size.replace("mode=755", "mode=1777"))
    if libc.syscall(_PIVOT_ROOT[os.uname().machine], root.encode(), (root + "/old").encode()):
        raise CellError(f"the root cannot be changed: {os.strerror(ctypes.get_errno())}")
    os.chdir("/")
    if libc.umount2(b"/old", _DETACH):
        raise CellError(f"the machine's files cannot be left: {os.strerror(ctypes.get_errno())}")
    os.rmdir("/old")
    mount("", "/", "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    os.chdir("/tmp")


def bind(source: str, target: str) -> None:
    """What is at ``source``, read-only at ``target``."""
    os.makedirs(target, exist_ok=True)
    mount(source, target, "", _BIND | _REC)
    kept = 0
    for flag, bit in ((os.ST_NODEV, _NODEV), (os.ST_NOEXEC, _NOEXEC)):
        # What another namespace has locked may not be taken away.
        kept |= bit if os.statvfs(target).f_flag & flag else 0
    mount("", target, "", _REMOUNT | _BIND | _RDONLY | _NOSUID | kept)


def give_up(limits: dict[str, Any], uid: int) -> None:
    """Limits, then rights: nothing of either comes back."""
    with_slack = int(limits["seconds"]) + 1
    memory = limits["memory_mb"] << 20
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: with_slack,
        resource.RLIMIT_FSIZE: limits["disk_mb"] << 20,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NPROC: limits["processes"],
    }
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("1000")
    except OSError:
        pass
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    for name, value in wanted.items():
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise CellError("no_new_privs is not there")
    libc.prctl(_SET_PDEATHSIG, signal.SIGKILL)


def write_id_map(uid: int, gid: int) -> None:
    """In the new user namespace this user is nobody, and there is no other."""
    try:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{_INNER_UID} {uid} 1"),
            ("gid_map", f"{_INNER_UID} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as stream:
                stream.write(text)
    except OSError as error:
        raise CellError(f"the user namespace cannot be set up: {error.strerror}") from None


def unshare(flags: int) -> None:
    if libc.unshare(flags):
        raise CellError(f"no namespaces: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    given = [one.encode() or None for one in (source, target, kind)]
    if libc.mount(*given, ctypes.c_ulong(flags), data.encode() or None):
        raise CellError(f"{target} cannot be mounted: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    sys.exit(main())
