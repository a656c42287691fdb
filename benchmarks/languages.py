"""`python -m benchmarks.languages [FOLDER ...] [--model EMBEDDER] [--rivals PYTHON]`: search and answers by language.

Each folder contains a dataset in the BEIR format, optionally with `answers.jsonl` (`knowledge.evaluation.answers`). Its
name, or what follows the last hyphen of the name, is the language code. nDCG@10 is compared with BM25 of bm25s over the
same passages (`rival_ranking`). The answers are those of the offline model; only the half `judging` has limits.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from .rival_ranking import BIGRAM_LANGUAGES
from .rivals import rival_python

if TYPE_CHECKING:
    from knowledge.evaluation.answers import AnswerMetrics

DATA = Path(__file__).resolve().parent / "data" / "languages"
SCRIPT = Path(__file__).resolve().parent / "rival_ranking.py"
PACKAGES = ("bm25s", "Stemmer")
ACTOR, EMBEDDER, JUDGING = "system:bench", "lexical-hash-384", "judging"
STRATEGIES = ("keyword", "semantic", "hybrid")
# Limits; see README.md.
LEAST_OF_BM25, LEAST_OF_BIGRAMS, MOST_BELOW_A_LEG = 0.97, 0.95, 0.005
LEAST_GOLD = {"en": 0.82, "de": 0.60, "es": 0.60, "ja": 0.50, "zh": 0.50}
MOST_FALSE_DECLINES, LEAST_ABSENT_DECLINED = {"en": 0.10}, {"en": 0.92}
MOST_WRONG = 0.05


@dataclass(frozen=True)
class LanguageResult:
    """Mean nDCG@10 of each strategy and of bm25s (None: not measured), and answer metrics by half."""

    language: str
    questions: int
    ndcgs: Mapping[str, float]
    bm25s: float | None
    answers: "Mapping[str, AnswerMetrics]"

    @property
    def ratio(self) -> float | None:
        """Keyword search relative to bm25s."""
        return self.ndcgs["keyword"] / self.bm25s if self.bm25s else None

    def missed_search_limits(self) -> list[str]:
        """Return the limits of search that the result misses."""
        least = LEAST_OF_BIGRAMS if self.language in BIGRAM_LANGUAGES else LEAST_OF_BM25
        better = max(self.ndcgs["keyword"], self.ndcgs["semantic"])
        missed = {
            f"keyword below {least} of bm25s": self.ratio is not None and self.ratio < least,
            "hybrid below its better leg": self.ndcgs["hybrid"] < better - MOST_BELOW_A_LEG,
        }
        return [name for name, is_missed in missed.items() if is_missed]

    def missed_answer_limits(self, half: str) -> list[str]:
        """Return the limits of answers that the half misses."""
        if half != JUDGING:
            return []
        found, language = self.answers[half], self.language
        missed = {
            "gold": found.gold < LEAST_GOLD.get(language, 0.0),
            "false declines": found.false_declines > MOST_FALSE_DECLINES.get(language, 1.0),
            "absent declined": found.absent_declined < LEAST_ABSENT_DECLINED.get(language, 0.0),
            "wrong": found.wrong >= MOST_WRONG,
        }
        return [name for name, is_missed in missed.items() if is_missed]


def measure(folder: Path, tenant_id: UUID, model: str, python: str | None) -> LanguageResult:
    """Search and answer the questions of one dataset."""
    from agents.runtime.answer_evaluation import answer_questions
    from knowledge.evaluation.answers import compute_metrics_by_half, load_expected_answers
    from knowledge.evaluation.datasets import load_dataset
    from knowledge.evaluation.metrics import compute_metrics
    from knowledge.services.evaluation import index_dataset

    language, dataset = folder.name.rpartition("-")[2], load_dataset(folder)
    expected = load_expected_answers(folder, dataset)
    questions = {identifier: answer.question for identifier, answer in expected.items()}
    with index_dataset(tenant_id, dataset, embedding_model=model, questions=questions) as searched:
        scores = searched.score_strategies(dataset.judgements, STRATEGIES)
        answers = answer_questions(searched, expected)
    rankings = rank_with_bm25s(folder, language, python) if python else None
    return LanguageResult(
        language,
        len(dataset.judgements),
        {score.strategy: score.metrics.ndcg for score in scores},
        None if rankings is None else compute_metrics(rankings, dataset.judgements).ndcg,
        compute_metrics_by_half(answers, expected),
    )


def rank_with_bm25s(folder: Path, language: str, python: str) -> dict[str, list[str]]:
    """Return the best passages of each question according to bm25s.

    Raises:
        CalledProcessError: If the process fails, for example without the packages.
    """
    command = [python, str(SCRIPT), str(folder.resolve()), language]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    rankings: dict[str, list[str]] = json.loads(printed)
    return rankings


def report_search(results: list[LanguageResult]) -> bool:
    """Print nDCG@10 by language and return whether a limit was missed."""
    print(
        f"{'nDCG@10':<10}{'questions':>9}{'keyword':>9}{'semantic':>9}{'hybrid':>8}{'bm25s':>8}{'ratio':>7}"
    )
    for each in results:
        keyword, semantic, hybrid = (each.ndcgs[name] for name in STRATEGIES)
        rival = "" if each.bm25s is None else f"{each.bm25s:.3f}"
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        verdict = ", ".join(each.missed_search_limits()) or "ok"
        print(
            f"{each.language:<10}{each.questions:>9}{keyword:>9.3f}{semantic:>9.3f}{hybrid:>8.3f}{rival:>8}{ratio:>7}"
            f"  {verdict}",
            flush=True,
        )
    if any(each.bm25s is None for each in results):
        print("NOT MEASURED: the ratios with bm25s; see --rivals", flush=True)
    return any(each.missed_search_limits() for each in results)


def report_answers(results: list[LanguageResult]) -> bool:
    """Print the answer metrics by language and half, and return whether a limit was missed."""
    print(
        f"{'answers':<10}{'half':<9}{'answerable':>10}{'gold':>7}{'false declines':>15}"
        f"{'absent':>7}{'declined':>9}{'given':>6}{'wrong':>7}"
    )
    failed = False
    for each in results:
        for half, found in each.answers.items():
            missed = each.missed_answer_limits(half)
            failed |= bool(missed)
            verdict = (", ".join(missed) or "ok") if half == JUDGING else "no limit"
            print(
                f"{each.language:<10}{half:<9}{found.answerable:>10}{found.gold:>7.3f}{found.false_declines:>15.3f}"
                f"{found.absent:>7}{found.absent_declined:>9.3f}{found.given:>6}{found.wrong:>7.3f}  {verdict}",
                flush=True,
            )
    return failed


def create_bench_tenant() -> UUID:
    """Create the tenant that the datasets are indexed for."""
    from accounts.services.members import get_or_create_user
    from tenants.services.tenants import create_tenant

    admin = get_or_create_user("languages@bench.example", is_verified=True)
    tenant_id: UUID = create_tenant(slug="languages", name="Languages", admin=admin, actor=ACTOR).pk
    return tenant_id


def _iter_folders(given: list[Path]) -> Iterator[Path]:
    yield from given or sorted(path for path in DATA.iterdir() if path.is_dir())


def main(arguments: list[str]) -> int:
    """Set up the installation, measure, and remove it; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.languages", description=__doc__)
    parser.add_argument("folders", metavar="FOLDER", nargs="*", type=Path, help="datasets in the BEIR format")
    parser.add_argument("--model", metavar="EMBEDDER", default=EMBEDDER, help="default: %(default)s")
    parser.add_argument("--rivals", metavar="PYTHON", help="a Python with bm25s and PyStemmer")
    options = parser.parse_args(arguments)
    from .installation import kept_house

    python = rival_python(options.rivals, PACKAGES)
    folders = list(_iter_folders(options.folders))
    with (
        tempfile.TemporaryDirectory(prefix="conclave-languages-") as var,
        kept_house(Path(var) / "var", keep=False),
    ):
        tenant_id = create_bench_tenant()
        results = [measure(folder, tenant_id, options.model, python) for folder in folders]
    failed = report_search(results)
    print()
    return int(report_answers(results) or failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
