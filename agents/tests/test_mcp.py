"""MCP servers: configuration schema, limits, access and refresh."""

import asyncio
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from agents.models import McpServer, McpServerConfig, McpServerUser
from agents.models.mcp import check_schema
from agents.runtime import mcp_client
from agents.runtime.mcp_client import McpClientError, McpConnection, call_tool
from agents.runtime.sandbox import ResourceLimits
from agents.services.mcp import (
    CallRateError,
    config_errors,
    count_call,
    effective_limits,
    env_errors,
    usable_configs,
)
from agents.tests import reference_server
from agents.tests.factories import McpServerConfigFactory, McpServerFactory
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.fixtures import add_member
from config.testing.processes import free_port, terminate_after
from config.testing.roles import as_platform

SERVER = Path(reference_server.__file__).resolve()
COMMAND = shlex.join([sys.executable, "-I", str(SERVER)])
SCHEMA = {
    "properties": {"token": {"type": "string"}, "depth": {"type": "integer", "maximum": 3}},
    "required": ["token"],
    "additionalProperties": False,
    "environment": ["API_KEY"],
}


@pytest.fixture
def sandbox(settings):
    settings.MCP_SANDBOX_READ = [sys.prefix, sys.base_prefix, str(SERVER.parent)]


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ({"token": "t", "depth": 2}, []),
        ({}, ["config: token is required."]),
        ({"token": "t", "depth": 9}, ["depth: must satisfy maximum: 3."]),
        ({"token": "t", "deep": 1}, ["config: deep is not allowed."]),
        ({"token": {"secret": "hunter2"}}, ["token: must satisfy type: string."]),
        (["t"], ["config: must satisfy type: object."]),
    ],
)
def test_configuration_is_validated_by_the_schema(config, wrong):
    assert config_errors(McpServer(config_schema=SCHEMA), config) == wrong


@pytest.mark.parametrize(
    "env",
    [
        {"LD_PRELOAD": "/x.so"},
        {"PATH": "/x"},
        {"PYTHONPATH": "/x"},
        {"lower": "x"},
        {"A": 1},
        {"A": "\0"},
        ["A"],
    ],
)
def test_only_the_platform_sets_variables_that_change_what_is_loaded(env):
    server = McpServer(config_schema={"environment": ["API_TOKEN", *map(str, env)]})
    assert env_errors(server, env)
    assert env_errors(server, {"API_TOKEN": "x"}) == []


SECRETS = ["GOOGLE_APPLICATION_CREDENTIALS", "HTTPS_PROXY", "JAVA_TOOL_OPTIONS", "API_KEYS", "LD_PRELOAD"]


@pytest.mark.security("local exposure")
def test_a_server_receives_only_variables_of_its_schema(scope, attacks):
    server = McpServerFactory(config_schema={"environment": ["API_KEY", "LD_PRELOAD"]})
    config = McpServerConfigFactory(mcp_server=server, env=dict.fromkeys([*SECRETS, "API_KEY"], "x"))
    reach = mcp_client.connection_for(server, config)
    assert reach.env == {"API_KEY": "x"}
    for name in SECRETS:
        attacks.attempt(name, succeeded=name in reach.env or not env_errors(server, {name: "x"}))


@pytest.mark.security("local exposure", mutation=True)
def test_without_the_list_a_server_receives_any_variable(scope, attacks, monkeypatch):
    monkeypatch.setattr(mcp_client, "allowed_variables", lambda server: {*SECRETS})
    config = McpServerConfigFactory(env=dict.fromkeys(SECRETS, "x"))
    reach = mcp_client.connection_for(config.mcp_server, config)
    for name in SECRETS:
        attacks.attempt(name, succeeded=name in reach.env)


def test_invalid_schema_is_rejected():
    check_schema(SCHEMA)
    for schema in ([], {"type": "nonsense"}, {"properties": 3}, {"environment": "A"}, {"environment": [1]}):
        with pytest.raises(ValidationError):
            check_schema(schema)


def test_api_reports_invalid_and_accepts_valid_configuration(api_client, tenant):
    with tenant_scope(tenant, actor="system:test"):
        server = McpServerFactory(config_schema=SCHEMA)
    client, body = api_client(), {"mcp_server": str(server.pk), "config": {"depth": 9}}
    response = client.post("/api/v1/mcp-server-configs/", body, content_type="application/json")
    assert (response.status_code, "token is required" in response.content.decode()) == (400, True)
    body |= {"config": {"token": "hunter2"}, "env": {"API_KEY": "k"}}
    response = client.post("/api/v1/mcp-server-configs/", body, content_type="application/json")
    assert (response.status_code, "hunter2" in response.content.decode()) == (201, False)
    with tenant_scope(tenant, actor="system:test"):
        assert McpServerConfig.objects.get().config == {"token": "hunter2"}


def test_limits_cannot_exceed_those_of_the_platform(scope, settings):
    settings.MCP_MAX_SECONDS, settings.MCP_MAX_MEMORY_MB = 20, 256
    config = McpServerConfigFactory(resource_limits={"timeout": 5, "memory_mb": 4096})
    limits = effective_limits(config)
    assert (limits["timeout"], limits["memory_mb"], limits["cpu_seconds"]) == (5, 256, 20)


def test_calls_of_a_minute_are_counted(scope):
    config = McpServerConfigFactory(resource_limits={"max_calls_per_minute": 2})
    count_call(config)
    count_call(config)
    with pytest.raises(CallRateError):
        count_call(config)
    count_call(McpServerConfigFactory(resource_limits={"max_calls_per_minute": 2}))


def test_only_named_users_may_use_a_server(scope, tenant, member):
    with platform_scope_ended():
        colleague = add_member(tenant).user_id
    config = McpServerConfigFactory(for_all_users=False)
    McpServerUser.objects.create(config=config, user_id=colleague)
    McpServerConfigFactory(enabled=False)
    assert list(usable_configs(member.user_id)) == list(usable_configs(None)) == []
    assert list(usable_configs(colleague)) == [config]
    with as_platform():
        McpServer.objects.filter(pk=config.mcp_server_id).update(status="disabled")
    assert list(usable_configs(colleague)) == []


def platform_scope_ended():
    """Create people with the rights of the login role."""
    from config.testing.roles import as_identity

    return as_identity()


def registered(slug, command, kind="stdio"):
    with platform_scope(reason="test"):
        return McpServer.objects.create(
            name=slug, slug=slug, command=command, server_type=kind, is_public=True, category="data"
        )


def test_refresh_stores_the_offers_of_a_server(db, sandbox, capsys):
    registered("reference", COMMAND)
    call_command("mcp_refresh", "reference")
    assert "reference: 8 tools, 1 resources, 1 prompts" in capsys.readouterr().out
    with platform_scope(reason="test"):
        server = McpServer.objects.get(slug="reference")
    assert [tool["name"] for tool in server.tool_definitions][:2] == ["add", "report_config"]
    assert (server.resource_definitions[0]["uri"], server.version) == ("notes://today", "1.2.3")
    assert (server.prompt_definitions[0]["name"], server.last_error) == ("greet", "")


def test_failed_refresh_is_recorded_and_keeps_stored_offers(db, sandbox):
    server = registered("broken", "/bin/false")
    with platform_scope(reason="test"):
        McpServer.objects.filter(pk=server.pk).update(tool_definitions=[{"name": "old"}])
    with pytest.raises(CommandError, match="broken"):
        call_command("mcp_refresh", "broken")
    with platform_scope(reason="test"):
        server.refresh_from_db()
    assert (server.tool_definitions, bool(server.last_error)) == ([{"name": "old"}], True)


def called(name, arguments, **reach):
    return asyncio.run(
        call_tool(McpConnection("stdio", COMMAND, **{"timeout": 60, **reach}), name, arguments)
    )


def test_local_server_receives_only_its_configuration(sandbox):
    result = called("report_config", {}, config={"token": "t"}, env={"API_KEY": "k"})
    report = result["structuredContent"]["result"]
    assert '"config": {"token": "t"}' in report
    assert '"env": ["API_KEY", "HOME", "LANG", "MCP_CONFIG", "PATH"]' in report
    assert os.geteuid() != 0 or '"uid": 0' not in report


def test_timeout_or_end_of_a_server_is_an_error(sandbox):
    with pytest.raises(McpClientError) as late:
        called("wait", {"seconds": 60}, timeout=12)
    with pytest.raises(McpClientError) as gone:
        called("leave", {})
    assert (late.value.code, gone.value.code) == ("timeout", "refused")


def test_memory_of_a_tenants_server_is_limited(sandbox):
    with pytest.raises(McpClientError):
        called("add", {"a": 1, "b": 2}, bounds=ResourceLimits(memory_mb=30))


@pytest.fixture
def http_server():
    """Run the reference server over streamable HTTP; return its URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "http", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with terminate_after(process):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                import socket

                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"


def test_remote_server_is_called_within_the_allowed_networks(http_server, settings):
    settings.MODEL_NETWORKS = ["127.0.0.0/8"]
    reach = McpConnection("http", http_server, {"token": "t"}, timeout=30)
    assert asyncio.run(call_tool(reach, "add", {"a": 1, "b": 2}))["structuredContent"] == {"result": 3}
    settings.MODEL_NETWORKS = []
    with pytest.raises(McpClientError) as caught:
        asyncio.run(call_tool(reach, "add", {"a": 1, "b": 2}))
    assert caught.value.code in ("unreachable", "refused")


def test_remote_server_receives_only_its_token_and_headers():
    reach = McpConnection("http", "http://127.0.0.1:9/", {"token": "t", "headers": {"X-Space": "a"}})
    assert mcp_client._headers(reach) == {"X-Space": "a", "Authorization": "Bearer t"}
    assert "t'" not in repr(reach)


@pytest.mark.parametrize(
    ("config", "env", "said"),
    [
        ('{"depth": 9}', "", "token is required"),
        ('{"token": {"secret": "hunter2"}}', "", "token: must satisfy type: string."),
        ('{"token": "t"}', '{"LD_PRELOAD": "/x.so"}', "schema does not allow this variable"),
        ('{"token": "t"}', '{"API_KEY": "k"}', ""),
    ],
)
def test_console_validates_configuration_by_the_schema(admin_client, tenant, config, env, said):
    with tenant_scope(tenant, actor="system:test"):
        server = McpServerFactory(config_schema=SCHEMA)
    body = {"mcp_server": server.pk, "enabled": "on", "for_all_users": "on", "resource_limits": "{}"}
    inline = {"users-TOTAL_FORMS": 0, "users-INITIAL_FORMS": 0}
    boxes = {"config_new": config, "env_new": env}
    response = admin_client.post("/console/agents/mcpserverconfig/add/", body | inline | boxes)
    shown = response.content.decode()
    assert (response.status_code, said in shown) == (200 if said else 302, True)
    assert "hunter2" not in shown
    with tenant_scope(tenant, actor="system:test"):
        assert McpServerConfig.objects.count() == (0 if said else 1)
