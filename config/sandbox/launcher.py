"""Sandbox launcher based on Linux namespaces: `python -I -S launcher.py`, configured by CONCLAVE_SANDBOX.

Parsers call `isolate_process` instead, because they keep their process.

Uses only the standard library and runs as a separate process, so that no threads of the caller are forked. The command
has no network, sees only its own processes, the listed files, a private bounded `/tmp` and the given environment. It
runs as an unprivileged `uid` if the caller is root, and without capabilities or a way to gain them. It ends with the
launcher, and the launcher ends with its caller.

launcher -> init (PID 1 of the new namespace, this code) -> command. When init ends, the kernel kills the rest.
"""

# No pathlib, for a fast start and direct system calls.
# ruff: noqa: PTH101, PTH103, PTH110, PTH112, PTH114, PTH115, PTH120, PTH123, PTH211

import contextlib
import ctypes
import json
import os
import random
import resource
import signal
import stat
import struct
import sys
from typing import Any, NoReturn

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
NAMESPACE_FLAGS = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
SET_PDEATHSIG, SET_DUMPABLE, SET_SECCOMP, CAPBSET_DROP, SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
CAPABILITY_VERSION = 0x20080522
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
EXIT_NOT_ISOLATED = 78
SYSTEM_PATHS = (
    *("/bin", "/lib", "/lib32", "/lib64", "/sbin", "/usr", "/etc/alternatives", "/etc/ld.so.cache"),
    *(
        "/etc/localtime",
        "/etc/ssl/certs",
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
    ),
)
MOUNT_POINTS = ("/mnt", "/media", "/srv", "/tmp")  # noqa: S108 (mounted over in a private namespace)
OPEN_FILES, INODES = 256, 4096

# System calls that tool servers do not need and that are frequent kernel attack surface, by machine: the audit
# architecture, `socket`, `clone`, `clone3`, then the calls that are always refused: add_key, request_key,
# keyctl, bpf, perf_event_open, userfaultfd, io_uring_setup, ptrace, process_vm_readv, process_vm_writev, mount,
# unshare, setns, pivot_root, open_by_handle_at, kexec_load, init_module, finit_module.
SYSTEM_CALLS: dict[str, tuple[int, int, int, int, tuple[int, ...]]] = {
    "x86_64": (
        *(0xC000003E, 41, 56, 435),
        (248, 249, 250, 321, 298, 323, 425, 101, 310, 311, 165, 272, 308, 155, 304, 246, 175, 313),
    ),
    "aarch64": (
        *(0xC00000B7, 198, 220, 435),
        (217, 218, 219, 280, 241, 282, 425, 117, 270, 271, 40, 97, 268, 41, 265, 104, 105, 273),
    ),
}
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16
X32 = 0x40000000
# Socket families isolated by network namespaces: Unix, IPv4, IPv6.
FAMILIES = (1, 2, 10)

libc = ctypes.CDLL(None, use_errno=True)


def call_libc(name: str, *arguments: Any) -> None:
    """Call a C library function that returns 0 on success.

    Raises:
        OSError: if it returns anything else.
    """
    encoded = [each.encode() if isinstance(each, str) else each for each in arguments]
    if getattr(libc, name)(*encoded) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def prctl(option: int, value: int) -> None:
    call_libc("prctl", ctypes.c_int(option), *(ctypes.c_ulong(each) for each in (value, 0, 0, 0)))


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    call_libc("mount", source, target, kind, ctypes.c_ulong(flags), data)


def die_with_parent() -> None:
    prctl(SET_PDEATHSIG, signal.SIGKILL)


def enter_namespaces(uid: int) -> bool:
    """Enter new namespaces; return true if the user ID must be changed later, after root has mounted.

    Raises:
        OSError: if the machine does not allow it.
    """
    if os.geteuid() == 0:
        try:
            call_libc("unshare", NAMESPACE_FLAGS)
        except OSError:
            change_user(uid)
        else:
            return True
    enter_user_namespace(NAMESPACE_FLAGS)
    return False


def enter_user_namespace(flags: int) -> None:
    """Enter a new user namespace with the same user, and the namespaces of `flags`."""
    uid, gid = os.geteuid(), os.getegid()
    prctl(SET_DUMPABLE, 1)
    call_libc("unshare", flags | NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def isolate_process(shown: list[str]) -> None:
    """Isolate this process and its forks: no network, no files but the system's and `shown`, no privileges.

    Raises:
        OSError: if the machine does not allow it.
    """
    # Without a process namespace, whose first fork would end all others.
    enter_user_namespace(NAMESPACE_FLAGS & ~NEWPID)
    try:
        make_root([*SYSTEM_PATHS, *shown], disk_mb=1)
    finally:
        # Also where mounting is refused: the new namespace gave the process all capabilities.
        drop_capabilities()
        clear_capabilities()
        prctl(SET_NO_NEW_PRIVS, 1)
        install_seccomp_filter()


def change_user(uid: int) -> None:
    """Change to an unprivileged user ID that owns nothing."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def make_root(shown: list[str], disk_mb: int) -> None:
    """Build the root file system: the listed paths, read-only, and a bounded `/tmp`."""
    mount("none", "/", None, REC | PRIVATE)
    # Descriptors of the old root are a way out of the new one: all are closed.
    sources = [(path, os.open(path, os.O_PATH)) for path in shown if os.path.exists(path)]
    try:
        mount_sources(sources, disk_mb)
    finally:
        for _, source in sources:
            os.close(source)


def mount_sources(sources: list[tuple[str, int]], disk_mb: int) -> None:
    """Mount the paths and `/tmp` into an empty file system and make it the root."""
    stage = next(path for path in MOUNT_POINTS if os.path.isdir(path))
    size = f"size={disk_mb}m,nr_inodes={INODES},mode=0755"
    mount("tmpfs", stage, "tmpfs", NOSUID | NODEV, size)
    for path, source in sources:
        bind_mount(path, source, stage)
    for name in ("proc", "tmp"):
        os.makedirs(f"{stage}/{name}", exist_ok=True)
    os.chmod(f"{stage}/tmp", 0o1777)  # noqa: S103, S108 (the command is its only user)
    # Some containers forbid mounting /proc; commands that need it fail there.
    with contextlib.suppress(OSError):
        mount("proc", f"{stage}/proc", "proc", NOSUID | NODEV | NOEXEC)
    os.chdir(stage)
    if libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b".") != 0:
        raise OSError(ctypes.get_errno(), "pivot_root")
    call_libc("umount2", ".", DETACH)
    os.chdir("/")


def bind_mount(path: str, source: int, stage: str) -> None:
    """Bind-mount a file or directory into the new root, read-only; symlinks are recreated."""
    target = stage + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):
        return None
    if os.path.islink(path):
        return os.symlink(os.readlink(path), target)
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(target)
    else:
        open(target, "x").close()
    mount(f"/proc/self/fd/{source}", target, None, BIND | REC)
    # A remount must keep the restrictions of the existing mount, or the kernel refuses it.
    mount_flags = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC)
    device = 0 if path.startswith("/dev/") else NODEV
    mount("none", target, None, BIND | REMOUNT | RDONLY | NOSUID | mount_flags | device)
    return None


def set_limits(memory_mb: int, cpu_seconds: int, processes: int, disk_mb: int) -> None:
    """Set resource limits per process and the number of processes."""
    for kind, most in (
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, disk_mb << 20),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def drop_capabilities() -> None:
    """Drop all capabilities from the bounding set."""
    for capability in range(64):
        try:
            prctl(CAPBSET_DROP, capability)
        except OSError:
            break  # no further capabilities in this kernel


def clear_capabilities() -> None:
    """Drop the effective, permitted and inheritable capabilities, which only an exec would lose otherwise."""
    call_libc("capset", (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)())


class Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install_seccomp_filter() -> None:
    """Install a seccomp filter for `SYSTEM_CALLS` and `FAMILIES`; do nothing on unlisted machines.

    Raises:
        OSError: if the kernel rejects the filter.
    """
    if os.uname().machine not in SYSTEM_CALLS:
        return
    made = b"".join(
        struct.pack("=HBBI", *step) for step in build_seccomp_program(*SYSTEM_CALLS[os.uname().machine])
    )
    program = Program(len(made) // 8, made)
    call_libc(
        "prctl", SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(program), ctypes.c_ulong(0), ctypes.c_ulong(0)
    )


FilterStep = tuple[int, int, int, int]


def build_seccomp_program(
    machine: int, sock: int, clone: int, clone3: int, refused: tuple[int, ...]
) -> list[FilterStep]:
    """Return the classic BPF program as steps (code, jump if true, jump if false, value)."""

    def answer(number: int, error: int) -> list[FilterStep]:
        return [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | error)]

    steps: list[FilterStep] = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, machine), (RETURN, 0, 0, REFUSE | EPERM)]
    steps += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, REFUSE | EPERM)]
    for number in refused:
        steps += answer(number, EPERM)
    # The flags of clone3 are in memory, which a filter cannot read; programs fall back to clone.
    steps += answer(clone3, ENOSYS)
    steps += [(EQUAL, 0, 4, clone), (LOAD, 0, 0, FIRST_ARGUMENT), (ANY_BIT, 0, 1, NEWUSER)]
    steps += [(RETURN, 0, 0, REFUSE | EPERM), (RETURN, 0, 0, ALLOW)]
    steps += [(EQUAL, 1, 0, sock), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, FIRST_ARGUMENT)]
    for family in FAMILIES:
        steps += [(EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
    return [*steps, (RETURN, 0, 0, REFUSE | EAFNOSUPPORT)]


def run(spec: dict[str, Any], uid: int, later: bool) -> NoReturn:
    """Drop all privileges and replace this process with the command."""
    os.setsid()
    drop_capabilities()
    if later:
        change_user(uid)
    set_limits(spec["memory_mb"], spec["cpu_seconds"], spec["processes"], spec["disk_mb"])
    prctl(SET_NO_NEW_PRIVS, 1)
    install_seccomp_filter()
    os.closerange(3, 4096)
    os.chdir("/tmp")  # noqa: S108 (its own)
    os.execve(spec["command"][0], spec["command"], spec["env"])  # noqa: S606 (deliberately without a shell)


def wait_for_child(child: int) -> NoReturn:
    """Wait for the child, reap orphans and exit with the child's exit code."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    while True:
        try:
            ended, status = os.wait()
        except InterruptedError:
            continue
        if ended == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def run_forked(body: Any) -> NoReturn:
    """Run the body of a forked process; exit on any error, so that the fork never returns."""
    try:
        body()
    except BaseException as error:  # noqa: BLE001 (a fork must never return)
        os.write(2, f"sandbox: {error}\n".encode())
    os._exit(EXIT_NOT_ISOLATED)


def init(spec: dict[str, Any], uid: int, later: bool) -> None:
    """Run as PID 1 of the new namespace."""
    die_with_parent()
    make_root([*SYSTEM_PATHS, *spec["read"]], spec["disk_mb"])
    prctl(SET_DUMPABLE, 0)
    child = os.fork()
    if child == 0:
        run_forked(lambda: run(spec, uid, later))
    wait_for_child(child)


def main() -> None:
    """Isolate and run the command; exit with its code, or `EXIT_NOT_ISOLATED` if isolation fails."""
    spec = json.loads(os.environ.pop("CONCLAVE_SANDBOX"))
    die_with_parent()
    if os.getppid() != spec["parent"]:
        sys.exit(EXIT_NOT_ISOLATED)
    uid = random.SystemRandom().randrange(2_000_000, 2_000_000_000)
    try:
        later = enter_namespaces(uid)
    except OSError as error:
        sys.exit(f"sandbox: this machine cannot isolate processes ({error})")
    child = os.fork()
    if child == 0:
        run_forked(lambda: init(spec, uid, later))
    wait_for_child(child)


if __name__ == "__main__":
    main()
