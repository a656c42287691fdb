"""Compare the branch coverage of each module with the limit and its exceptions.

`bin/test` runs it after a full run. After an intended change, write the exceptions again and give the reasons:
 python -m config.tests.coverage_report --update
"""

import json
import sys
import tomllib
from pathlib import Path

LIMIT = 85.0
# Runs differ a little: races, timeouts and killed processes.
TOLERANCE = 5.0
EXCEPTIONS = Path(__file__).with_name("coverage_exceptions.toml")
HEADER = f"# Modules with less than {LIMIT:.0f} % branch coverage. The list may only shrink.\n"


def measure():
    """Return the covered percentage of each measured module."""
    import coverage

    report = EXCEPTIONS.parent.parent.parent / "var" / "coverage.json"
    data = coverage.Coverage()
    data.load()
    data.json_report(outfile=str(report))
    files = json.loads(report.read_text())["files"]
    return {path: found["summary"]["percent_covered"] for path, found in files.items()}


def find_problems(measured, exceptions):
    """Return one line for each module that differs from the exceptions."""
    found = []
    for path, percent in sorted(measured.items()):
        known = exceptions.get(path)
        if known is None:
            if percent < LIMIT - TOLERANCE:
                found.append(f"{path}: {percent:.0f} %, the limit is {LIMIT:.0f} %")
        elif percent < known["percent"] - TOLERANCE:
            found.append(f"{path}: {percent:.0f} %, was {known['percent']} %")
        elif percent >= LIMIT + TOLERANCE:
            found.append(f"{path}: {percent:.0f} %, remove the exception")
        if known and not known["reason"]:
            found.append(f"{path}: the exception has no reason")
    return found + [f"{path}: does not exist, remove the exception" for path in exceptions.keys() - measured]


def write_exceptions(measured, exceptions):
    """Write the modules below the limit and keep the known reasons."""
    lines = [HEADER]
    for path, percent in sorted(measured.items()):
        if percent < LIMIT:
            reason = json.dumps(exceptions.get(path, {}).get("reason", ""))
            lines.append(f'["{path}"]\npercent = {int(percent)}\nreason = {reason}\n')
    EXCEPTIONS.write_text("\n".join(lines))


def main(arguments):
    exceptions = tomllib.loads(EXCEPTIONS.read_text())
    measured = measure()
    if "--update" in arguments:
        write_exceptions(measured, exceptions)
        return 0
    problems = find_problems(measured, exceptions)
    lowest = sorted(measured.items(), key=lambda each: each[1])[:10]
    print(*(f"{percent:5.1f} % {path}" for path, percent in lowest), sep="\n")
    print(f"{len(measured)} modules, {len(exceptions)} exceptions", *problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
