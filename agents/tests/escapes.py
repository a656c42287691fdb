"""Sandbox escape attempts: each function raises or returns a false value if it fails.

Run as `python escapes.py NAME JSON`; prints ESCAPED and ends with 0 when the way was open.
"""

# Escape attempts use system calls directly.
# ruff: noqa: PTH101, PTH103, PTH108, PTH123, PTH208, PTH211

import ctypes
import json
import mmap
import os
import resource
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)


def read_shadow(a):
    return Path("/etc/shadow").read_text()


def read_people(a):
    return "root:" in Path("/etc/passwd").read_text()


def read_secret(a):
    return Path(a["secret"]).read_text()


def read_secret_by_link(a):
    os.symlink(a["secret"], "/tmp/link-" + a["mark"])
    return Path("/tmp/link-" + a["mark"]).read_text()


def read_secret_by_dots(a):
    return Path("/tmp/" + "../" * 20 + a["secret"]).read_text()


def read_secret_through_process(a):
    return Path(f"/proc/{a['dummy']}/root{a['secret']}").read_text()


def read_secret_through_first_process(a):
    return Path(f"/proc/1/root{a['secret']}").read_text()


def read_environment_of_process(a):
    return Path(f"/proc/{a['dummy']}/environ").read_bytes()


def read_environment_of_first_process(a):
    return Path("/proc/1/environ").read_bytes()


def inherit_environment(a):
    return "SECRET_OF_TEST" in os.environ


def inherit_file(a):
    return os.read(a["fd"], 10)


def see_process(a):
    return Path(f"/proc/{a['dummy']}").exists()


def signal_process(a):
    os.kill(a["dummy"], 0)
    return True


def signal_group(a):
    os.killpg(a["dummy"], 0)
    return True


def trace_process(a):
    if libc.ptrace(16, a["dummy"], 0, 0):
        raise OSError
    os.waitpid(a["dummy"], 0x40000000)
    return libc.ptrace(17, a["dummy"], 0, 0) == 0


def read_memory_of_process(a):
    return open(f"/proc/{a['dummy']}/mem", "rb")


def read_first_process_memory(a):
    return open("/proc/1/mem", "rb")


def connect_tcp(a):
    return socket.create_connection(("127.0.0.1", a["port"]), 2)


def connect_any(a):
    return socket.create_connection(("0.0.0.0", a["port"]), 2)


def connect_address_of_machine(a):
    return socket.create_connection((a["address"], a["port"]), 2)


def send_udp(a):
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", a["port"]))


def connect_unix(a):
    socket.socket(socket.AF_UNIX).connect(a["unix"])
    return True


def connect_abstract(a):
    socket.socket(socket.AF_UNIX).connect("\0" + a["mark"])
    return True


def raw_socket(a):
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def packet_socket(a):
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)


def write_outside(a):
    return (Path(a["folder"]) / f"written-{a['mark']}").write_text("x")


def write_where_it_reads(a):
    return (Path(a["shown"]) / f"written-{a['mark']}").write_text("x")


def change_what_it_reads(a):
    os.chmod(Path(a["shown"]) / "file", 0o777)
    return True


def remount_writable(a):
    return libc.mount(b"none", a["shown"].encode(), None, 4096 | 32, None) == 0


def mount_something(a):
    os.makedirs("/tmp/m-" + a["mark"])
    where = b"/tmp/m-" + a["mark"].encode()
    return libc.mount(b"tmpfs", where, b"tmpfs", 0, None) == 0 and libc.umount2(where, 2) == 0


def new_namespace_to_remount(a):
    if libc.unshare(0x10020000):
        raise OSError
    if libc.mount(b"none", a["shown"].encode(), None, 4096 | 32, None):
        raise OSError
    return write_where_it_reads(a)


def join_namespace_of_first_process(a):
    return libc.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY), 0) == 0


def join_namespace_of_process(a):
    return libc.setns(os.open(f"/proc/{a['dummy']}/ns/net", os.O_RDONLY), 0) == 0


def change_root(a):
    os.chroot("/tmp")
    return True


def become_root(a):
    os.setuid(0)
    return os.getuid() == 0


def program_of_root(a):
    return b"euid=0" in subprocess.check_output([a["setuid"]]) or os.geteuid() == 0


def make_device(a):
    os.mknod("/tmp/dev-" + a["mark"], stat.S_IFCHR | 0o666, os.makedev(1, 3))
    return True


def write_kernel_settings(a):
    return open("/proc/sys/kernel/hostname", "w")


def trigger_kernel(a):
    return open("/proc/sysrq-trigger", "w")


def read_kernel_log(a):
    return open("/dev/kmsg")


def read_devices(a):
    return os.listdir("/sys/class/block")


def shared_memory(a):
    return Path(a["shm"]).read_text()


def take_memory(a):
    return mmap.mmap(-1, 4 << 30)


def fill_disk(a):
    with open(a["fill"], "wb") as file:
        file.writelines(bytes(1 << 20) for _ in range(100))
    os.unlink(a["fill"])
    return True


def fill_disk_with_many_files(a):
    for number in range(12):
        with open(f"{a['fill']}-{number}", "wb") as file:
            file.writelines(bytes(1 << 20) for _ in range(10))
    return True


def many_files(a):
    os.makedirs(a["fill"] + "-many", exist_ok=True)
    for number in range(6000):
        open(f"{a['fill']}-many/{number}", "x").close()
    return True


def fork_bomb(a):
    for _ in range(100):
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
    return True


def burn_cpu(a):
    while time.process_time() < 4:
        pass
    return True


def raise_limits(a):
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_NPROC, (10_000, 10_000))
    return resource.getrlimit(resource.RLIMIT_NPROC)[0] == 10_000


def go_first(a):
    return os.nice(-5) < 0


def socket_of_virtual_machines(a):
    return socket.socket(40, socket.SOCK_STREAM)


def socket_of_the_kernel(a):
    return socket.socket(16, socket.SOCK_RAW, 0)


def keep_a_key(a):
    return libc.syscall(248 if os.uname().machine == "x86_64" else 217, b"user", b"k", b"v", 1, -3) > 0


def ring_of_system_calls(a):
    return libc.syscall(425, 4, ctypes.create_string_buffer(120)) >= 0


def fault_handler(a):
    return libc.syscall(323 if os.uname().machine == "x86_64" else 282, 1) >= 0


def new_person_namespace(a):
    return libc.unshare(0x10000000) == 0


def new_person_namespace_by_clone(a):
    number = 56 if os.uname().machine == "x86_64" else 220
    child = libc.syscall(number, 0x10000000 | 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return child > 0


def outlive(a):
    """Start a process detached from its group and parent; the test checks whether it survives."""
    if os.fork() == 0:
        os.setsid()
        libc.prctl(1, 0)
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(20)", a["mark"]])
        os._exit(0)
    time.sleep(0.5)
    return False


if __name__ == "__main__":
    arguments = json.loads(sys.argv[2])
    if globals()[sys.argv[1]](arguments):
        print("ESCAPED", flush=True)
        os._exit(0)
    sys.exit("no way out")
