"""Connectors of server folders, Git repositories and feeds."""

import gzip
import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from config.tenancy.scope import tenant_scope
from knowledge.models import Document


@pytest.fixture
def folder(tmp_path, settings, tenant):
    """The server folder of the tenant."""
    settings.CONNECTORS_ROOT = str(tmp_path)
    path = tmp_path / str(tenant.pk)
    path.mkdir()
    return path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_folder_is_followed(folder, connect):
    for name in ("a.md", "deep/b.txt", ".hidden.md", ".git/c.md", "image.png", "empty.md"):
        write(folder / name, "" if name == "empty.md" else f"# {name}")
    (folder / "link.md").symlink_to(folder / "a.md")
    (folder / "outside").symlink_to("/etc")
    files = connect("folder", {})
    assert files.sync() == ("completed", 2, 0, 0, 0, 0)
    assert files.documents() == {"a.md": digest("# a.md"), "deep/b.txt": digest("# deep/b.txt")}
    write(folder / "a.md", "# changed")
    write(folder / "c.md", "# c")
    (folder / "deep/b.txt").unlink()
    assert files.sync() == ("completed", 1, 1, 1, 0, 0)
    assert files.sync() == ("completed", 0, 0, 0, 2, 0)
    assert files.documents() == {"a.md": digest("# changed"), "c.md": digest("# c")}


def test_folder_of_another_tenant_is_not_read(folder, connect, other_tenant):
    write(folder.parent / str(other_tenant.pk) / "secret.md", "# secret")
    (folder / "link").symlink_to(folder.parent / str(other_tenant.pk))
    files = connect("folder", {"path": "link"})
    assert files.sync() == ("failed", 0, 0, 0, 0, 0)
    assert files.error() == "The folder does not exist below the server folder of the organisation."
    up = connect("folder", {"path": f"../{other_tenant.pk}"})
    assert (up.sync()[0], up.error()) == (
        "failed",
        "Invalid configuration: path: Enter a relative path without `..`.",
    )


def test_folder_is_disabled_without_a_root(folder, connect, settings):
    settings.CONNECTORS_ROOT = ""
    files = connect("folder", {})
    assert files.sync()[0] == "failed"
    assert "The operator has not enabled server folders (CONNECTORS_ROOT)." in files.error()


def test_folder_that_vanishes_deletes_nothing(folder, connect):
    write(folder / "docs/a.md", "# a")
    files = connect("folder", {"path": "docs"})
    files.sync()
    (folder / "docs/a.md").unlink()
    (folder / "docs").rmdir()
    assert files.sync()[0] == "failed"
    assert files.documents() == {"a.md": digest("# a")}


def run_git(folder, *command):
    author = {
        f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(
        ["git", "-C", folder, *command], check=True, capture_output=True, env={**os.environ, **author}
    )


@pytest.fixture
def repository(folder):
    """A repository with one commit."""
    path = folder / "handbook"
    path.mkdir()
    run_git(path, "init", "-b", "main")
    for name in ("README.md", "docs/a.md", "docs/b.md", "logo.png", "docs/ünïcode.md"):
        write(path / name, f"# {name}")
    (path / "link.md").symlink_to("/etc/passwd")
    run_git(path, "add", "-A")
    run_git(path, "commit", "-m", "Add")
    return path


def test_local_repository_is_followed(repository, connect, tenant):
    git = connect("git", {"path": "handbook", "ref": "main", "exclude_paths": ["README"]})
    assert git.sync() == ("completed", 3, 0, 0, 0, 0)
    assert git.documents().keys() == {"docs/a.md", "docs/b.md", "docs/ünïcode.md"}
    write(repository / "docs/a.md", "# changed")
    run_git(repository, "rm", "docs/b.md")
    assert git.sync() == ("completed", 0, 0, 0, 3, 0)
    run_git(repository, "commit", "-am", "Change")
    assert git.sync() == ("completed", 0, 1, 1, 1, 0)
    assert git.documents()["docs/a.md"] == digest("# changed")
    with tenant_scope(tenant):
        version = Document.objects.get(source="docs/a.md").source_version
    assert version == hashlib.sha1(b"blob 9\0# changed").hexdigest()


@pytest.mark.parametrize(
    "config", [{"path": "handbook", "ref": "gone"}, {"path": "handbook/docs", "ref": "HEAD"}]
)
def test_folder_without_the_commit_deletes_nothing(repository, connect, config):
    git = connect("git", config)
    assert (git.sync()[0], git.error()) == (
        "failed",
        f"The folder is not a Git repository with the commit {config['ref']}.",
    )


def pack(files, kind=tarfile.REGTYPE):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(text), kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(text.encode()))
    return (200, {"Content-Type": "application/gzip"}, packed.getvalue())


def test_archive_is_followed(site, connect):
    site.pages["/main.tar.gz"] = pack({"r-1/a.md": "# a", "r-1/b.md": "# b", "r-1/.github/c.md": "# c"})
    git = connect("git", {"url": f"{site.url}/main.tar.gz"})
    assert git.sync() == ("completed", 2, 0, 0, 0, 0)
    assert git.documents() == {"a.md": digest("# a"), "b.md": digest("# b")}
    assert git.sync() == ("completed", 0, 0, 0, 2, 0)
    assert site.log[-1] == ("/main.tar.gz", 304)
    site.pages["/main.tar.gz"] = pack({"r-2/a.md": "# a", "r-2/b.md": "# new"})
    assert git.sync() == ("completed", 0, 1, 0, 1, 0)


def test_archive_is_read_again_after_a_document_is_deleted(site, connect, tenant):
    site.pages["/main.tar.gz"] = pack({"r/a.md": "# a", "r/b.md": "# b"})
    git = connect("git", {"url": f"{site.url}/main.tar.gz"})
    git.sync()
    with tenant_scope(tenant, actor="system:test"):
        Document.objects.get(source="a.md").delete()
    assert git.sync() == ("completed", 1, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("archive", "found"),
    [
        (
            pack({"r/../../etc/a.md": "# a", "/etc/b.md": "# b", "r/c\n.md": "# c"}),
            {"etc/b.md": digest("# b")},
        ),
        (pack({"r/a.md": ""}, kind=tarfile.SYMTYPE), {}),
        (pack({"r/a.md": ""}, kind=tarfile.LNKTYPE), {}),
    ],
)
def test_archive_reads_no_file_outside(site, connect, archive, found):
    site.pages["/a.tar.gz"] = archive
    git = connect("git", {"url": f"{site.url}/a.tar.gz"})
    git.sync()
    assert git.documents() == found


def long_header():
    member = tarfile.TarInfo("r/a.md")
    member.type, member.size = tarfile.XHDTYPE, 900 * 1024**2
    return gzip.compress(member.tobuf(), mtime=0)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"no archive", "The archive is damaged or not a .tar.gz file."),
        (pack({"r/a.md": "# a"})[2][:60], "The archive is damaged or not a .tar.gz file."),
        (pack({"r/a.md": "x" * 3 * 1024**2})[2], "The repository is too large."),
        (long_header(), "The archive is damaged or not a .tar.gz file."),
    ],
    ids=["text", "truncated", "too large", "long header"],
)
def test_bad_archive_deletes_nothing(site, connect, body, error):
    site.pages["/a.tar.gz"] = pack({"r/a.md": "# a"})
    git = connect("git", {"url": f"{site.url}/a.tar.gz", "max_megabytes": 1})
    git.sync()
    site.pages["/a.tar.gz"] = (200, {"Content-Type": "application/gzip"}, body)
    assert git.sync() == ("failed", 0, 0, 0, 0, 0)
    assert (git.error(), git.documents()) == (error, {"a.md": digest("# a")})


def test_token_is_not_sent_without_tls(site, connect):
    git = connect("git", {"url": f"{site.url}/a.tar.gz"}, credentials={"token": "hush"})
    assert (git.sync()[0], git.error()) == ("failed", "A token is sent over https:// only.")
    assert site.log == []


def feed(*items):
    body = "".join(
        f"<item><guid>{name}</guid><link>https://example.org/{name}</link><title>{name}</title>"
        f"<description>&lt;p&gt;{text}&lt;/p&gt;</description></item>"
        for name, text in items
    )
    return (200, {"Content-Type": "application/rss+xml"}, f"<rss><channel>{body}</channel></rss>".encode())


def test_feed_keeps_earlier_items(site, connect):
    site.pages["/feed"] = feed(("one", "Tide"), ("two", "Moon"))
    rss = connect("rss", {"url": f"{site.url}/feed"})
    assert rss.sync() == ("completed", 2, 0, 0, 0, 0)
    assert rss.sync() == ("completed", 0, 0, 0, 2, 0)
    assert site.log[-1] == ("/feed", 304)
    site.pages["/feed"] = feed(("two", "Full moon"), ("three", "Sun"))
    assert rss.sync() == ("completed", 1, 1, 0, 0, 0)
    assert rss.documents().keys() == {f"https://example.org/{name}" for name in ("one", "two", "three")}


def test_feed_that_deletes_missing_items(site, connect):
    site.pages["/feed"] = feed(("one", "Tide"), ("two", "Moon"))
    rss = connect("rss", {"url": f"{site.url}/feed", "delete_missing": True})
    rss.sync()
    site.pages["/feed"] = feed(("two", "Moon"))
    assert rss.sync() == ("completed", 0, 0, 1, 1, 0)


def test_atom_links_are_read_once(site, connect):
    entry = '<entry><id>tag:{0}</id><title>{0}</title><link href="{1}/{0}"/><updated>{2}</updated></entry>'
    build = '<feed xmlns="http://www.w3.org/2005/Atom">{}</feed>'.format
    site.pages |= {"/a": b"<p>A</p>", "/b": b"<p>B</p>"}
    entries = entry.format("a", site.url, "2026") + entry.format("b", site.url, "2026")
    site.pages["/feed"] = (200, {"Content-Type": "application/atom+xml"}, build(entries).encode())
    rss = connect("rss", {"url": f"{site.url}/feed", "follow_links": True})
    assert rss.sync() == ("completed", 2, 0, 0, 0, 0)
    site.log.clear()
    entries = entry.format("a", site.url, "2026") + entry.format("b", site.url, "2027")
    site.pages["/feed"] = (200, {"Content-Type": "application/atom+xml"}, build(entries).encode())
    assert rss.sync() == ("completed", 0, 0, 0, 2, 0)
    assert site.log == [("/feed", 200), ("/b", 304)]
    assert rss.documents().keys() == {f"{site.url}/a", f"{site.url}/b"}
