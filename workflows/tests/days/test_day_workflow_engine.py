"""A day of the workflow engine: settings, prompts, documents, planning and a meeting of experts."""

from allauth.mfa.totp.internal import auth as totp
from django.test import Client

from conversations.tests.test_meetings import QUESTION, TYPES, Experts
from workflows.tests.days.driver import PASSWORD, create_agent, upload


def test_day_of_workflow_engine(day, settings):
    settings.MFA_TOTP_TOLERANCE = 1
    ann = day.create_tenant(day.create_platform_client("tenants:read", "tenants:write"), "engine")
    ben = day.invite(ann, "ben@engine.example.org")
    keep_profile(ben)
    set_up_codes(day, ben)
    read_settings(day, ann)
    with Experts() as server:
        create_agent(ann, server)
        for name in ("Ice", "Tide"):
            account = ann.list("integrations/")[0]["id"]
            body = {"model_provider": "openai-compatible", "model_name": "m", "integration": account}
            ann.post("agents/", name=name, slug=name.lower(), **body)
        write_prompt(ann, ben)
        meet(day, ben)
    read_document(day, ann)
    plan(day, ben, ann)


def keep_profile(ben):
    ben.patch("me/profile/", display_name="Ben", job_title="Pilot", github="ben")
    ben.patch("me/settings/", theme="light", timezone="Europe/Berlin")
    ben.patch("me/work-profile/", personal_goals=[{"title": "Sail"}], calendar_event_weights={"work": 2})
    ben.post("model-choices/", purpose="chat", model="house/n")
    assert ben.get("me/profile/")["job_title"] == "Pilot"
    assert ben.get("me/settings/")["timezone"] == "Europe/Berlin"
    assert ben.get("me/work-profile/")["personal_goals"] == [{"title": "Sail"}]
    assert ben.list("model-choices/")[0]["purpose"] == "chat"


def set_up_codes(day, ben):
    page = "/accounts/2fa/totp/activate/"
    assert (
        ben.client.post(f"/accounts/reauthenticate/?next={page}", {"password": PASSWORD})["Location"] == page
    )
    secret = ben.client.get(page).context["form"].secret
    assert ben.client.post(page, {"code": find_code(secret, 1)}).status_code == 302
    assert ben.get("me/two-factor/")["is_enabled"] is True
    client = Client()
    client.post("/accounts/login/", {"login": "ben@engine.example.org", "password": PASSWORD})
    assert client.get("/console/").status_code == 302
    assert client.post("/accounts/2fa/authenticate/", {"code": find_code(secret, 2)}).status_code == 302
    assert client.get("/console/").status_code == 200
    assert ben.get("me/two-factor/")["last_used_at"]


def find_code(secret, number):
    """Return one of the three codes that are valid now; each works once."""
    counter = list(totp.yield_hotp_counters_from_time())[number]
    return totp.format_hotp_value(totp.hotp_value(secret, counter))


def read_settings(day, ann):
    staff = day.create_staff_client()
    day.add_in_console(
        staff, "tenants.SystemSetting", key="console.notice", value="Calm sea.", is_public="on"
    )
    assert ann.list("system-settings/")[0]["value"] == "Calm sea."
    assert "Calm sea." in ann.session.client.get("/console/").content.decode()


def write_prompt(ann, ben):
    body = {"prompt_category": "system", "prompt_name": "Tone", "prompt_text": "Be brief."}
    prompt = ann.post("system-prompts/", prompt_key="tone", for_everybody=True, **body)["id"]
    ann.patch(f"system-prompts/{prompt}/", prompt_text="Be kind.", change_note="Kinder.")
    agent = ann.list("agents/?slug=guide")[0]["id"]
    ann.patch(f"agents/{agent}/", prompt_key="tone", system_prompt="", config={"model_purpose": "chat"})
    asked = ben.post("conversations/", agent="guide", message="How thick is the ice?")
    assert asked["answer"]["model"].endswith("n")
    ben.post(f"conversations/{asked['id']}/messages/{asked['answer']['id']}/feedback/", feedback="helpful")
    shown = ann.get(f"system-prompts/{prompt}/")
    assert (shown["usage_count"], shown["average_satisfaction"]) == (1, 5)
    assert len(ann.list(f"prompt-versions/?prompt={prompt}")) == 2


def meet(day, ben):
    talk = ben.post("conversations/", agent="guide", title="Winter")["id"]
    ben.post(f"conversations/{talk}/meeting/", question=QUESTION, experts=["ice", "tide"])
    day.run_jobs()
    meeting = ben.get(f"conversations/{talk}/meeting/")
    assert (meeting["status"], [chunk["type"] for chunk in meeting["chunks"]]) == ("completed", TYPES)
    assert len(ben.list(f"conversations/{talk}/stream-events/")) == len(TYPES)
    (state,) = ben.list(f"session-states/?conversation={talk}")
    assert (state["mode"], state["state"]["expert_selections"]) == ("expert-group", ["Ice", "Tide"])
    ben.post(f"conversations/{talk}/end/")
    day.run_jobs()
    (summary,) = ben.list(f"session-summaries/?conversation={talk}")
    assert summary["summary"]


def read_document(day, ann):
    ann.post("collections/", name="Sea", slug="sea")
    document = upload(ann, "sea", "tides.md", "# Tides\n\nHigh water comes at noon in Emden.")
    day.run_jobs()
    (chunk,) = ann.list(f"chunks/?document={document['id']}")
    assert "tides" in chunk["semantic_keywords"]
    ann.post("embeddings/remember/", content="The ice breaks in March.")


def plan(day, ben, ann):
    project = ben.post("projects/", name="Harbour", project_type="survey")["id"]
    ben.post("project-members/", project=project, user=ann.id, access="read")
    body = {
        "due_date": "2030-01-01T00:00:00Z",
        "priority": "high",
        "estimated_hours": 1,
        "importance_weight": 2,
    }
    task = ben.post("tasks/", title="Measure the ice", project=project, **body)["id"]
    calendar = ben.post("calendars/", name="Work")["id"]
    times = {"start_time": "2030-01-01T09:00:00Z", "end_time": "2030-01-01T10:00:00Z"}
    event = ben.post("calendar-events/", calendar=calendar, summary="Ice survey", **times)["id"]
    day.run_jobs()
    (shown,) = ann.list("tasks/")
    assert (shown["id"], shown["calculated_score"] > 0) == (task, True)
    assert ben.get("tasks/plan/?start=2029-12-31T00:00:00Z&days=3")["parts"][0]["task"] == task
    ann.refuse("get", f"calendar-events/{event}/", 404)
    assert ben.post("tasks/similar/", text="ice thickness")["results"][0]["task"]["id"] == task
    assert ben.post("calendar-events/similar/", text="survey")["results"][0]["event"]["id"] == event
    assert ben.list("calendars/")[0]["id"] == calendar
