"""Driver of the days: people, console, jobs, and the rows that the product inserts.

A day uses no factory: each row comes from a request, a job or a command.
"""

import json
import os
import re
import time
from io import StringIO
from types import SimpleNamespace
from unittest.mock import patch

from django.apps import apps
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client, TestCase
from procrastinate.contrib.django import app
from psycopg import sql

from config.schema.sources import resolve_path
from config.testing.roles import as_platform
from config.tests.resources import ROUTES
from config.tests.test_admin_forms import resubmit

PASSWORD = "correct-horse-battery"
API = "/api/v1/"
CONVERSATION = "<uuid:conversation_id>"
# Inserted rows of the current transaction; those of partitions count for their table.
INSERTED = """
SELECT coalesce(pg_partition_root(oid), oid)::regclass::text, sum(pg_stat_get_xact_tuples_inserted(oid))
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' GROUP BY 1
"""
# `queue_name` is never null; a job that another job defers has a higher ID.
NEXT_JOB = """
SELECT id, task_name, args FROM procrastinate_jobs WHERE status = 'todo' AND NOT id = ANY(%s) ORDER BY id LIMIT 1
"""


# Values that say nothing, whether they are the default or not.
EMPTY = ("", "{}", "[]", "false", "0")


def find_written_columns(fields):
    """Return those of the fields that have a value in any row of any tenant."""
    found = []
    with as_platform(), connection.cursor() as cursor:
        for name in fields:
            field = resolve_path(name)
            query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE NOT {}::text = ANY(%s))")
            names = map(sql.Identifier, (field.model._meta.db_table, field.column))
            cursor.execute(query.format(*names), [list(EMPTY)])
            found += [name] if cursor.fetchone()[0] else []
    return found


def count_inserted_rows():
    """Return the number of rows inserted into each table by the current transaction."""
    with connection.cursor() as cursor:
        cursor.execute(INSERTED)
        return {table: int(count) for table, count in cursor.fetchall()}


class Person:
    """A client of the API with the credential of a person or of the platform.

    `paths` are those that all clients of the day read.
    """

    def __init__(self, paths, client, **headers):
        self.paths, self.client, self.headers = paths, client, headers

    def send(self, method, path, body=None, *, expect=(200, 201, 202, 204), **headers):
        """Send JSON, or a form if the body contains a file, and return the parsed response."""
        form = any(hasattr(value, "read") for value in (body or {}).values())
        options = {} if form or body is None else {"content_type": "application/json"}
        url = path if path.startswith("/") else API + path
        with TestCase.captureOnCommitCallbacks(execute=True):
            response = getattr(self.client, method)(url, body, headers=self.headers | headers, **options)
            content = b"".join(response.streaming_content) if response.streaming else response.content
        assert response.status_code in expect, (method, url, response.status_code, content[:2000])
        result = json.loads(content) if "json" in response.get("Content-Type", "") else content.decode()
        is_empty = isinstance(result, dict) and result.get("results") == []
        if method == "get" and response.status_code == 200 and not is_empty:
            self.paths.add(url.partition("?")[0])
        return result

    def get(self, path, **options):
        return self.send("get", path, **options)

    def post(self, path, **body):
        return self.send("post", path, body)

    def patch(self, path, **body):
        return self.send("patch", path, body)

    def delete(self, path):
        return self.send("delete", path)

    def refuse(self, method, path, status, **body):
        """Send a request that fails with `status`, and return the problem."""
        return self.send(method, path, body or None, expect=(status,))

    def list(self, path):
        """Return the rows of a list; fail if it is empty."""
        rows = self.get(path)["results"]
        assert rows, f"{path} is empty"
        return rows

    def within(self, engagement):
        """Return the same person within an engagement."""
        return Person(self.paths, self.client, **self.headers, **{"x-engagement": engagement})


class Day:
    """A day of one installation."""

    def __init__(self):
        self.before = count_inserted_rows()
        self.done, self.paths, self.people = [], set(), []

    def create_platform_client(self, *scopes):
        """Create a platform key with the command of the operator."""
        out = StringIO()
        call_command("platform_key", "create", "Day", *(f"--scope={scope}" for scope in scopes), stdout=out)
        return Person(self.paths, Client(), authorization=f"Bearer {out.getvalue().split()[-1]}")

    def create_staff_client(self):
        """Create a superuser with Django's command, and enter the console of the platform."""
        with patch.dict(os.environ, DJANGO_SUPERUSER_PASSWORD=PASSWORD):
            call_command("createsuperuser", interactive=False, email="root@example.org", verbosity=0)
        client = self.sign_in("root@example.org")
        assert client.post("/console/platform/", {"reason": "set up the day"}).status_code == 302
        return client

    def sign_in(self, email):
        """Sign in on the page, and return the client with its session."""
        client = Client()
        with TestCase.captureOnCommitCallbacks(execute=True):
            response = client.post("/accounts/login/", {"login": email, "password": PASSWORD})
        assert (response.status_code, response["Location"]) == (302, "/console/")
        return client

    def create_tenant(self, platform, slug, **fields):
        """Provision a tenant; return its first administrator with an API key."""
        email = f"admin@{slug}.example.org"
        body = {"slug": slug, "name": slug.title(), "admin_email": email} | fields
        self.tenant_id = platform.post("tenants/", **body)["id"]
        session = self.accept_invitation(email)
        key = session.post("api-keys/", name="Day", rate_limit=6_000)
        administrator = Person(self.paths, Client(), authorization=f"Bearer {key['key']}")
        administrator.id, administrator.session = session.id, session
        return administrator

    def invite(self, administrator, email, role="user"):
        """Invite a person, who accepts; return the person with a session."""
        administrator.post("invitations/", email=email, role=role)
        return self.accept_invitation(email)

    def accept_invitation(self, email):
        """Sign up by the link of the last e-mail; return the person with a session."""
        (text,) = [message.body for message in mail.outbox if message.to == [email]][-1:]
        (path,) = re.findall(r"/invitations/\S+", text)
        names = {"first_name": email.partition("@")[0].title(), "last_name": "Day"}
        person = Person(self.paths, Client())
        form = {"action": "accept", "password": PASSWORD, "password_again": PASSWORD} | names
        with TestCase.captureOnCommitCallbacks(execute=True):
            assert person.client.post(path, form).status_code == 302
        person.id = person.get("me/")["person"]["id"]
        self.people.append(person)
        return person

    def add_in_console(self, client, model, **fields):
        """Add a row with the form of the console."""
        page = f"/console/{model.replace('.', '/').lower()}/add/"
        with TestCase.captureOnCommitCallbacks(execute=True):
            response = resubmit(client, page, **fields)
        assert response.status_code == 302, response.context["adminform"].form.errors

    def act_in_console(self, client, model, action, *ids):
        """Run an action of the console on rows."""
        page = f"/console/{model.replace('.', '/').lower()}/"
        with TestCase.captureOnCommitCallbacks(execute=True):
            response = client.post(page, {"action": action, "_selected_action": ids})
        assert response.status_code == 302, response.content

    def run_jobs(self):
        """Run the queued jobs, and those that they defer, in this transaction."""
        while True:
            with as_platform(), connection.cursor() as cursor:
                cursor.execute(NEXT_JOB, [self.done])
                row = cursor.fetchone()
            if row is None:
                return
            self.done.append(row[0])
            arguments = json.loads(row[2]) if isinstance(row[2], str) else row[2]
            self.run_task(row[1], row[0], **arguments)

    def run_task(self, name, job=None, /, **arguments):
        """Run the body of a task without the worker, which would close the connection of the test."""
        task = app.tasks[name]
        body = getattr(task.func, "__wrapped__", task.func)
        context = [SimpleNamespace(job=SimpleNamespace(id=job))] if task.pass_context else []
        with TestCase.captureOnCommitCallbacks(execute=True):
            body(*context, **arguments)

    def run_periodic(self, *names):
        """Run periodic tasks as if they were due, and the jobs that they defer."""
        for name in names:
            self.run_task(name, timestamp=int(time.time()))
        self.run_jobs()

    def relay_events(self):
        """Relay the events of the open transaction, which no test commits, and run their jobs."""
        with patch("tenants.services.relay.RELAYABLE", "true"):
            self.run_task("tenants.tasks.relay_events", tenant_id=self.tenant_id)
        self.run_jobs()

    def list_unreadable_models(self, models):
        """Read the lists of the models that no one read yet; return the models of which no one sees a row."""
        found = []
        for prefix, model in ROUTES.items():
            pattern = API + re.sub(r"<uuid:\w+>", "[^/]+", prefix) + "/([^/]+/)?"
            is_read = any(re.fullmatch(pattern, path) for path in self.paths)
            if model._meta.label in models and not is_read and not self._has_reader(f"{prefix}/"):
                found.append(model._meta.label)
        return sorted(found)

    def _has_reader(self, path):
        """Return whether one of the people sees rows of the list, or of that of any conversation."""
        for person in self.people:
            places = [""]
            if CONVERSATION in path:
                places = [row["id"] for row in person.get("conversations/")["results"]]
            for place in places:
                if person.get(path.replace(CONVERSATION, place), expect=(200, 403)).get("results"):
                    return True
        return False

    def list_gained_models(self):
        """Return the labels of the models whose tables gained rows since the day began."""
        now = count_inserted_rows()
        gained = {table for table, count in now.items() if count > self.before.get(table, 0)}
        return {model._meta.label for model in apps.get_models() if model._meta.db_table in gained}


def create_agent(person, server, **fields):
    """Create a provider account of a model server, and an agent that uses it."""
    account = {"name": "House", "platform": "openai-compatible", "base_url": server.base_url}
    agent = {"name": "Guide", "slug": "guide", "system_prompt": "You know the tides."}
    agent |= {"model_provider": "openai-compatible", "model_name": "m"}
    return person.post(
        "agents/", **agent, integration=person.post("integrations/", **account)["id"], **fields
    )


def upload(person, collection, name, text):
    """Upload a file to a collection and return the document."""
    return person.post(f"collections/{collection}/documents/", file=SimpleUploadedFile(name, text.encode()))
