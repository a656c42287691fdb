"""Secrets in files of a local installation."""

import os
import stat

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.settings import secrets
from config.settings.secrets import local_secret


def test_a_secret_is_generated_once_and_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "var" / "secret_key"
    value = local_secret(path)
    assert (len(value), local_secret(path)) == (86, value)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret_key"]


@pytest.mark.security("local exposure")
def test_others_cannot_list_the_folder(tmp_path, attacks):
    (tmp_path / "var").mkdir(mode=0o755)
    local_secret(tmp_path / "var" / "secret_key")
    mode = (tmp_path / "var").stat().st_mode
    attacks.attempt("list the folder", succeeded=bool(mode & 0o066))


@pytest.mark.parametrize("mode", [0o700, 0o711, 0o2710])
def test_a_folder_that_others_cannot_list_keeps_its_mode(tmp_path, mode):
    folder = tmp_path / "var"
    folder.mkdir()
    folder.chmod(mode)
    local_secret(folder / "secret_key")
    assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_a_folder_of_another_owner_keeps_its_mode(tmp_path, monkeypatch):
    (tmp_path / "secret_key").write_text("x" * 50)
    tmp_path.chmod(0o775)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert local_secret(tmp_path / "secret_key") == "x" * 50
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o775


@pytest.mark.security("local exposure")
@pytest.mark.parametrize("text", ["", "short", "x" * 49])
def test_a_short_secret_is_refused_by_the_name_of_its_file(tmp_path, text, attacks):
    path = tmp_path / "secret_key"
    path.write_text(text)
    message = ""
    try:
        local_secret(path)
    except ImproperlyConfigured as error:
        message = str(error)
    attacks.attempt(repr(text), succeeded=path.name not in message)


@pytest.mark.security("local exposure", mutation=True)
def test_without_a_minimum_short_secrets_are_used(tmp_path, monkeypatch, attacks):
    monkeypatch.setattr(secrets, "MIN_LENGTH", 0)
    (tmp_path / "secret_key").write_text("")
    attacks.attempt("an empty secret", succeeded=local_secret(tmp_path / "secret_key") == "")


def test_the_secret_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    order = []
    link, fsync = os.link, os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (order.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "link", lambda *names: (order.append("link"), link(*names)))
    local_secret(tmp_path / "secret_key")
    assert order == ["fsync", "link", "fsync"]
