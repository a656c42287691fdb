"""Quality of the extractive model on questions about Python's standard library, with BM25 search."""

import math
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from agents.runtime.extractive import RetrievedPassage, answer_question
from knowledge.chunking import chunk_document
from knowledge.parsing import parse
from knowledge.stemming import STOP_WORDS, split_words, stem_word

LIBRARY = Path(sysconfig.get_path("stdlib"))
MODULES = (
    "argparse base64 bisect calendar cmd colorsys configparser contextlib csv datetime difflib enum "
    "filecmp fnmatch fractions functools getpass glob gzip hashlib heapq hmac imaplib inspect ipaddress "
    "linecache locale mimetypes optparse pathlib pickle platform pprint queue random sched secrets "
    "shelve shlex shutil smtplib socket ssl statistics string subprocess tarfile tempfile textwrap "
    "threading timeit tokenize trace traceback uuid webbrowser zipfile "
)
ANSWERABLE = {
    "How do I compute the harmonic mean of data?": "statistics",
    "Which function lets heapq turn a list into a heap in place?": "heapq",
    "What does textwrap.dedent remove from lines?": "textwrap",
    "How can I copy an entire directory tree recursively?": "shutil",
    "How do I split a shell command string into tokens using shell-like syntax?": "shlex",
    "How do I open a browser tab from a script?": "webbrowser",
    "How do I read a password without echo?": "getpass",
    "How do I generate a random UUID?": "uuid",
    "How can I compare two directories for identical files?": "filecmp",
    "How do I compute a keyed hash for message authentication?": "hmac",
    "How do I convert RGB colours to HSV?": "colorsys",
    "How do I list the members of a tar archive?": "tarfile",
}
UNRELATED = [
    "How do I bake sourdough bread?",
    "Who won the 1966 world cup?",
    "What is the capital of Mongolia?",
    "Which vaccine prevents measles in children?",
    "When did the Roman empire fall?",
    "What is the refund policy for annual subscriptions?",
    "How do I change the oil in my car?",
    "Who is the current prime minister of Canada?",
    "What time does the library close on Sunday?",
    "How do I file my income tax return?",
    "How long is the warranty on the dishwasher?",
    "What are the side effects of ibuprofen?",
]


class Index:
    """BM25 (Robertson and Zaragoza, 2009; k1 1.2, b 0.75) over the chunks of the library's modules."""

    def __init__(self):
        documents = [parse(LIBRARY / f"{name}.py") for name in MODULES.split()]
        chunks = [(document, piece) for document in documents for piece in chunk_document(document)]
        self.passages = [
            RetrievedPassage(str(c.start), d.title, c.text, context=c.context) for d, c in chunks
        ]
        self.counts = [Counter(map(stem_word, split_words(f"{p.context} {p.text}"))) for p in self.passages]
        self.frequency = Counter(term for count in self.counts for term in count)
        self.mean = sum(count.total() for count in self.counts) / len(self.counts)

    def search(self, question, limit=8):
        terms = {stem_word(word) for word in split_words(question) if word not in STOP_WORDS}
        ranked = sorted(
            zip(self.counts, self.passages, strict=True), key=lambda row: -self.score(terms, row[0])
        )
        return [passage for _, passage in ranked[:limit]]

    def score(self, terms, count):
        length = 1.2 * (0.25 + 0.75 * count.total() / self.mean)
        return sum(
            math.log(1 + len(self.counts) / self.frequency[term]) * count[term] * 2.2 / (count[term] + length)
            for term in terms
            if count[term]
        )


@pytest.fixture(scope="module")
def index():
    return Index()


def test_most_questions_cite_the_right_file_first(index):
    right = 0
    for question, module in ANSWERABLE.items():
        passages = index.search(question)
        found = answer_question(question, passages)
        right += found.found and passages[found.citations[0].passage].document_title == module
    assert right >= 10


def test_unrelated_questions_are_declined(index):
    answered = [question for question in UNRELATED if answer_question(question, index.search(question)).found]
    assert len(answered) <= 1
