# Sourced by bin/run and bin/test: makes .venv and installs what the lock files name.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."

step() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] cannot go on: %s\n' "$*" >&2; exit 1; }

find_python() {
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed (found: $(python3 --version 2>&1 || true)); install it or set PYTHON"
}

make_venv() {
  if [ -x .venv/bin/python ] && .venv/bin/python -c 'import sys' 2>/dev/null; then return; fi
  python=$(find_python)
  step "making .venv with $($python --version)"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "this Python has no venv; on Debian: apt-get install python3-venv"
  rm -rf .venv
  "$python" -m venv .venv
}

# install_locked FILE: skipped while the stamp holds the file's hash.
install_locked() {
  stamp=".venv/.installed-$1"
  digest=$(.venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ]; then return; fi
  step "installing $1"
  if [ ! -x .venv/bin/uv ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv || step "uv is not to be had; using pip"
  fi
  if ! { [ -x .venv/bin/uv ] &&
    VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --no-config --compile-bytecode --require-hashes -r "$1"; }; then
    step "installing with pip, which takes longer"
    .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r "$1" ||
      fail "the packages of $1 could not be installed"
  fi
  printf '%s\n' "$digest" >"$stamp"
}
