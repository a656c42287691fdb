"""`manage.py isolation_report`: attack tenant isolation and report leaks."""

import json
import sys
import time
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from config.testing.database import create_test_login
from config.testing.isolation.attacks import ATTACKS
from config.testing.isolation.colleagues import (
    COLLEAGUE_ATTACKS,
    colleague_mutations,
    person_targets,
    run_colleague_matrix,
)
from config.testing.isolation.engagements import (
    ENGAGEMENT_ATTACKS,
    engagement_mutations,
    engagement_targets,
    run_engagement_matrix,
)
from config.testing.isolation.fixtures import (
    AttackFixture,
    create_attack_fixture,
    temporary_database,
    tenants_for_pairs,
)
from config.testing.isolation.mutations import MUTATIONS, MutationResult, available_mutations, run_mutation
from config.testing.isolation.runner import IsolationReport, run_matrix

KNOWN = ATTACKS | COLLEAGUE_ATTACKS | ENGAGEMENT_ATTACKS


class Command(BaseCommand):
    """Attacks as the application login, in a temporary database."""

    requires_system_checks: list[str] = []

    help = "Attack every tenant table as the application role; exit with 1 on a leak or undetected mutation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--pairs", type=int, default=10, help="Number of attacker and victim pairs (default: 10)."
        )
        parser.add_argument("--attacks", nargs="+", metavar="NAME", help="Run only these attacks.")
        parser.add_argument("--list", action="store_true", help="List the attacks and exit.")
        parser.add_argument("--format", choices=("text", "json"), default="text")
        parser.add_argument(
            "--sabotage",
            action="store_true",
            help="Also break each protection and check that a test detects it.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            for name, attack in KNOWN.items():
                self.stdout.write(f"{name}: {attack.__doc__}")
            return
        if options["pairs"] < 1:
            raise CommandError("--pairs must be at least 1")
        chosen = self._chosen(options["attacks"])
        began = time.monotonic()
        if sys.stderr.isatty():
            self.stderr.write("creating a database and tenants …")
        create_test_login()
        with temporary_database():
            fixture = self._prepare(options["pairs"])
            report = self._attack(fixture, chosen, options["pairs"])
            outcomes = self._sabotage(fixture) if options["sabotage"] else []
        facts = {
            "tables": len(fixture.targets),
            "person_tables": len(person_targets(fixture)),
            "engagement_tables": len(engagement_targets(fixture)),
            "attacks": len(chosen.keys() & ATTACKS.keys()),
            "colleague_attacks": len(chosen.keys() & COLLEAGUE_ATTACKS.keys()),
            "engagement_attacks": len(chosen.keys() & ENGAGEMENT_ATTACKS.keys()),
            "pairs": options["pairs"],
            "attempts": report.attempts,
            "statements": report.statements,
            "leaks": len(report.findings),
            "findings": [asdict(each) for each in report.findings],
            "sabotages": [asdict(each) for each in outcomes],
            "sabotages_not_tried": len(MUTATIONS) - len(available_mutations()) if options["sabotage"] else 0,
            "seconds": round(time.monotonic() - began, 1),
        }
        if options["format"] == "json":
            self.stdout.write(json.dumps(facts, indent=2))
        else:
            self._print_text(facts)
        if report.findings or any(not each.caught for each in outcomes):
            raise SystemExit(1)

    def _chosen(self, names: list[str] | None) -> dict[str, Any]:
        if unknown := set(names or ()) - set(KNOWN):
            raise CommandError(
                f"unknown attack: {', '.join(sorted(unknown))}; use --list to show all attacks"
            )
        return {name: KNOWN[name] for name in names or KNOWN}

    def _prepare(self, pairs: int) -> AttackFixture:
        try:
            return create_attack_fixture(tenants_for_pairs(pairs))
        except ModuleNotFoundError as error:
            raise CommandError(
                f"{error.name} is not installed; run: pip install -r requirements-dev.txt"
            ) from error

    def _attack(self, fixture: AttackFixture, chosen: dict[str, Any], pairs: int) -> IsolationReport:
        chosen_pairs = fixture.pairs(pairs)
        across = {name: attack for name, attack in chosen.items() if name in ATTACKS}
        inside = {name: attack for name, attack in chosen.items() if name in COLLEAGUE_ATTACKS}
        total = len(fixture.targets) * len(across) * len(chosen_pairs)
        with tqdm(total=total, desc="attacks", unit="attempt", file=sys.stderr, disable=None) as bar:
            report = run_matrix(fixture, across, chosen_pairs, on_attempt=bar.update)
        report.add(run_colleague_matrix(fixture, attacks=inside))
        between = {name: attack for name, attack in chosen.items() if name in ENGAGEMENT_ATTACKS}
        report.add(run_engagement_matrix(fixture, attacks=between))
        return report

    def _sabotage(self, fixture: AttackFixture) -> list[MutationResult]:
        mutations = [*available_mutations(), *colleague_mutations(), *engagement_mutations()]
        with tqdm(mutations, desc="mutations", file=sys.stderr, disable=None) as bar:
            return [run_mutation(each, fixture) for each in bar]

    def _print_text(self, facts: dict[str, Any]) -> None:
        write, style = self.stdout.write, self.style
        write(f"{facts['tables']} tables x {facts['attacks']} attacks x {facts['pairs']} pairs of tenants")
        write(
            f"{facts['person_tables']} tables of people x {facts['colleague_attacks']} attacks of a colleague"
        )
        write(
            f"{facts['engagement_tables']} tables of engagements x {facts['engagement_attacks']} attacks"
            " from another engagement"
        )
        verdict = style.ERROR if facts["leaks"] else style.SUCCESS
        write(verdict(f"{facts['attempts']} attempts, {facts['leaks']} leaks"))
        for found in facts["findings"][:50]:
            write(style.ERROR(f"  {found['attack']} on {found['table']}: {found['what'][:200]}"))
        for each in facts["sabotages"]:
            mark = style.SUCCESS("detected") if each["caught"] else style.ERROR("NOT detected")
            write(f"  {mark}: {each['name']} ({each['what'][:120]})")
        if facts["sabotages"]:
            caught = sum(each["caught"] for each in facts["sabotages"])
            write(f"mutations: detected {caught} of {len(facts['sabotages'])}")
        if facts["sabotages_not_tried"]:
            write(f"skipped, require a superuser: {facts['sabotages_not_tried']}")
        write(f"{facts['seconds']} s, {facts['statements']} statements")
