"""Questions and answers of the demo, combined from parts."""

SUBJECTS = (
    "invoice matching", "the travel policy", "the data retention schedule", "the onboarding checklist",
    "the release calendar", "the disaster recovery plan", "customer refunds", "the incident process",
    "the supplier contract", "warehouse stock counts", "the password policy", "quarterly forecasts",
    "the migration waves", "the accessibility guideline", "the on-call rota", "tax codes abroad",
    "returns of damaged goods", "the service level agreement", "the price list", "the security review",
)  # fmt: skip
QUESTIONS = (
    "What does the handbook say about {}?",
    "Who is responsible for {}?",
    "Please summarise {} in three sentences.",
    "What changed about {} since last quarter?",
    "Which exceptions are there to {}?",
    "Draft a short note to the team about {}.",
    "How do I report a problem with {}?",
    "When was {} reviewed for the last time?",
)
ANSWERS = (
    (
        "According to the handbook, {} is reviewed every quarter by the operations team. The current version "
        "applies to all sites, and deviations need the written consent of the head of the department."
    ),
    (
        "The team that owns {} answers within one working day. Urgent cases go to the on-call engineer, whose "
        "number is on the first page of the rota."
    ),
    (
        "In short: {} has three steps. First the request is recorded, then a second person checks it, and at "
        "the end the result is filed with a reference to the request."
    ),
    (
        "Two things changed about {}: the approval moved to the regional lead, and the form lost four fields "
        "that were not used. The older form is accepted until the end of the month."
    ),
    (
        "There are exceptions to {} for amounts below 50 euros, for pilot sites, and where local "
        "law requires otherwise. Each is listed with its reason."
    ),
    (
        "I did not find a passage that answers this about {}. The closest one names the owner of the topic; "
        "asking the owner is the quickest way."
    ),
)
ASKED = tuple(question.format(subject) for subject in SUBJECTS for question in QUESTIONS)
ANSWERED = tuple(answer.format(subject) for subject in SUBJECTS for answer in ANSWERS)
TITLES = tuple(subject.removeprefix("the ").capitalize() for subject in SUBJECTS)
