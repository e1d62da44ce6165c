"""Break the pump on purpose, a small fault at a time, and see whether the quick tests notice (`make mutants`).

    python tests/mutation/mutants.py --sample 200             # a random sample; 0: all
    python tests/mutation/mutants.py --only dosing/limits     # of the files whose path begins so
    python tests/mutation/mutants.py --seed 7                 # another sample

What was tried is kept in build/mutants and not tried again: a killed mutant until its file changes, a survivor until a
test changes. Exit status 1: a survivor without an explanation pushes the score below 95 %, or an explanation in
explained.toml is wrong (of a mutant that is killed, or is not there).
"""

import argparse
import hashlib
import json
import random
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mutation import trial
from mutation.mutations import MODULE, compiled, mutants

RESULTS = trial.ROOT / "build" / "mutants"
EXPLAINED = Path(__file__).with_name("explained.toml")
KINDS = ("equivalent", "accepted")  # no test can see it; a test could, and is not worth its time
WANTED_PERCENT = 95


def sources():
    """{path below firmware/pump: text} of what is mutated."""
    files = sorted(trial.PUMP.rglob("*.py"))
    return {path.relative_to(trial.PUMP).as_posix(): path.read_text(encoding="utf-8") for path in files}


def explained():
    """{(path, name of a mutant): kind} of explained.toml."""
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8")).get("mutant", [])
    return {(entry["file"], entry["change"]): entry["kind"] for entry in entries}


def faults_of_explanations():
    """Lines on what is wrong in explained.toml without running a test."""
    texts = sources()
    known = {(path, mutant.name) for path, text in texts.items() for mutant in mutants(path, text)}
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8")).get("mutant", [])
    for entry in entries:
        name = f"{entry.get('file')}: {entry.get('change')}"
        if set(entry) != {"file", "change", "kind", "why"} or entry["kind"] not in KINDS or not entry["why"].strip():
            yield f"{name}: allowed: file, change, kind ({' or '.join(KINDS)}), why; each with a value"
        elif (entry["file"], entry["change"]) not in known:
            yield f"{name}: there is no such mutant (any more); delete the entry"
    if len(explained()) != len(entries):
        yield "a mutant is explained twice"


def digest(paths):
    """A hash of these files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:16]


def hash_of_tests():
    folders = [*trial.TESTS, "tests/support/portable", "tests/support/therapy"]
    return digest(path for folder in folders for path in (trial.ROOT / folder).rglob("*.py"))


class Results:
    """What became of the mutants of one file, in build/mutants."""

    def __init__(self, path, text, tests, budget_s):
        self.file = RESULTS / (path.removesuffix(".py").replace("/", ".") + ".json")
        self.source = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.tests, self.budget_s = tests, budget_s
        kept = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.mutants = kept["mutants"] if kept.get("source") == self.source else {}

    def of(self, mutant):
        """`killed`, `survived`, or None: to be tried."""
        kept = self.mutants.get(mutant.name, {})
        if kept.get("tests", self.tests) != self.tests or kept.get("budget_s", self.budget_s) < self.budget_s:
            return None
        return kept.get("result")

    def add(self, mutant, killed_by):
        """Keep a result."""
        survived = {"result": "survived", "tests": self.tests, "budget_s": self.budget_s}
        self.mutants[mutant.name] = {"result": "killed", "by": killed_by} if killed_by else survived
        self.file.write_text(json.dumps({"source": self.source, "mutants": self.mutants}, indent=1))


def map_of_tests(tests):
    """{test: {seconds, entered}}; recorded again when a test or the pump has changed."""
    file = RESULTS / f"tests-{tests}-{digest(trial.PUMP.rglob('*.py'))}.json"
    if not file.exists():
        for stale in RESULTS.glob("tests-*.json"):
            stale.unlink()
        trial.record(file)
    return json.loads(file.read_text())


def importers(texts):
    """{path: the paths of the modules that import it, and itself}."""
    found = {path: {path} for path in texts}
    for path, text in texts.items():
        for module, names in re.findall(r"^from (pump[\w.]*) import (.+)$", text, re.MULTILINE):
            base = module.replace(".", "/").removeprefix("pump").lstrip("/")
            for stem in (base, *(f"{base}/{name.strip()}".lstrip("/") for name in names.split(","))):
                found.get(f"{stem}.py", set()).add(path)
    return found


def tests_for(mutant, entered, users, budget_s):
    """{test: seconds} that may notice, the nearest and quickest first, of at most `budget_s` together.

    Those that enter its function; at module level those that enter a module which uses it.
    """
    place = f"{mutant.path}:{mutant.function}"
    whole = mutant.function == MODULE or mutant.function[0].isupper() and "." not in mutant.function
    room = "tests/unit/pump/" + mutant.path.rsplit("/", 1)[0] + "/"
    chosen = []
    for test, found in entered.items():
        files = {of.split(":")[0] for of in found["entered"]}
        if files & users[mutant.path] if whole else place in found["entered"]:
            chosen.append((mutant.path not in files, not test.startswith(room), found["seconds"], test))
    tests, total_s = {}, 0
    for _, _, seconds, test in sorted(chosen):
        total_s += seconds
        if total_s <= budget_s:
            tests[test] = seconds
    return tests


def try_all(wanted, texts, results, choose, jobs, console):
    """Try each mutant that has no result yet, `jobs` at a time."""
    running = []

    def collect():
        mutant, started = running.pop(0)
        status, by = trial.finish(*started)
        results[mutant.path].add(mutant, by or (f"exit {status}" if status not in (0, 5) else ""))

    for mutant in track(wanted, "mutants", console=console, disable=not console.is_terminal):
        filename = str(trial.PUMP / mutant.path)
        module = "pump." + mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        code = compiled(texts[mutant.path], mutant.index, filename)
        tests = choose(mutant)
        if not tests:
            results[mutant.path].add(mutant, "")
            continue
        running.append((mutant, trial.try_one(module, code, filename, tests)))
        if len(running) >= jobs:
            collect()
    while running:
        collect()


def verdict(mutant, results, known):
    """`killed`, `survived`, or how a survivor is explained."""
    result = results[mutant.path].of(mutant)
    return known.get((mutant.path, mutant.name), result) if result == "survived" else result


def show(sample, results, known, console):
    """The table by file, the survivors without an explanation. Returns the score in percent."""
    columns = ("killed", "survived", *KINDS)
    counts: dict[str, Counter] = {}
    for mutant in sample:
        counts.setdefault(mutant.path, Counter())[verdict(mutant, results, known)] += 1
    total = sum(counts.values(), Counter())
    table = Table("file", *columns, box=None)
    for name, count in [*sorted(counts.items()), ("all", total)]:
        table.add_row(name, *(str(count[column]) for column in columns))
    console.print(table)
    for mutant in sample:
        if verdict(mutant, results, known) == "survived":
            console.print(f"survived: {mutant.path}:{mutant.line} {mutant.name}", markup=False, highlight=False)
    score = 100 * total["killed"] / max(1, total.total() - total["equivalent"])
    console.print(f"score: {score:.1f} % of those that are not equivalent; wanted: {WANTED_PERCENT} %", highlight=False)
    return score


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=100, help="how many mutants; 0: all (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="which sample (default: 1)")
    parser.add_argument("--only", default="", help="files below firmware/pump whose path begins so")
    parser.add_argument("--budget", type=int, default=30, help="seconds of tests for each mutant (default: 30)")
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time (default: 1)")
    options = parser.parse_args()
    console = Console()
    RESULTS.mkdir(parents=True, exist_ok=True)
    wrong = list(faults_of_explanations())
    texts = sources()
    users = importers(texts)
    texts = {path: text for path, text in texts.items() if path.startswith(options.only)}
    every = [mutant for path, text in texts.items() for mutant in mutants(path, text)]
    known = explained()
    sample = random.Random(options.seed).sample(every, min(options.sample or len(every), len(every)))
    also = [mutant for mutant in every if (mutant.path, mutant.name) in known and mutant not in sample]
    trial.preload()
    tests = hash_of_tests()
    results = {path: Results(path, text, tests, options.budget) for path, text in texts.items()}
    entered = map_of_tests(tests)
    wanted = [mutant for mutant in [*sample, *also] if results[mutant.path].of(mutant) is None]
    try_all(
        wanted,
        texts,
        results,
        lambda mutant: tests_for(mutant, entered, users, options.budget),
        options.jobs,
        console,
    )
    console.print(
        f"{len(sample)} of {len(every)} mutants, seed {options.seed}; {len(wanted)} tried now", highlight=False
    )
    score = show(sample, results, known, console)
    for mutant in [*sample, *also]:
        if (mutant.path, mutant.name) in known and results[mutant.path].of(mutant) == "killed":
            wrong.append(f"{mutant.path}: {mutant.name}: it is killed; delete the entry")
    for line in wrong:
        console.print(f"explained.toml: {line}", markup=False, highlight=False)
    return 1 if wrong or score < WANTED_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main())
