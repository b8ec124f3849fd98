"""`python -m tests.mutants`: the last line is one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

_OF = "mailape/delivery/tests"
_WIRE = "mailape/delivery/transports/wire/tests"


def _of(names: str) -> list[str]:
    return [f"{_OF}/test_{name}.py" for name in names.split()]


# By a short name: the module, and the tests that are about it: the file beside it of its name, and
# those that go through it.
MODULES: dict[str, tuple[str, list[str]]] = {
    "core": (
        "mailape.delivery.transports.wire.core",
        [f"{_WIRE}/test_core.py", f"{_WIRE}/test_any_script.py"],
    ),
    "journal": ("mailape.delivery.journal", _of("journal found_by_simulation recover")),
    "recover": ("mailape.delivery.recover", _of("recover found_by_simulation doubt leases")),
    "claim": (
        "mailape.delivery.claim",
        _of("claim claim_closely alone aside found_by_simulation recover flow"),
    ),
    "leases": ("mailape.delivery.leases", _of("leases found_by_simulation send")),
    "send": (
        "mailape.delivery.send",
        _of("send sending sending_paced sending_told alone oversize signing shares")
        + _of("found_by_simulation flow"),
    ),
    "retry": ("mailape.delivery.retry", _of("retry found_by_simulation")),
    "status": (
        "mailape.delivery.status",
        _of("status status_of_many claim leases found_by_simulation send recover doubt flow"),
    ),
    "tally": ("mailape.delivery.tally", _of("tally doubt flow claim recover oversize")),
    "progress": ("mailape.delivery.progress", _of("progress flow doubt build aside")),
}


def main() -> int:
    """Exit code 0 when each module's score is at least `--least`."""
    given = _arguments()
    if given.one:
        return _one(given)
    results = []
    for name in given.modules or MODULES:
        with tempfile.TemporaryDirectory(prefix="mutants-") as data:
            words = [sys.executable, "-m", "tests.mutants", "--one", name]
            words += ["--sample", str(given.sample), "--seed", str(given.seed)]
            done = subprocess.run(
                words,
                env={**os.environ, "MAILAPE_DATA": data},
                stdout=subprocess.PIPE,
                text=True,
            )
        result = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps(result), flush=True)
        results.append(result)
    worst = min(one["score"] for one in results)
    short = {one["module"]: [one["killed"], one["tried"], one["score"]] for one in results}
    print(json.dumps({"modules": short, "worst": worst}))
    return 0 if worst >= given.least else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*MODULES, []], help="all, unless named")
    parser.add_argument("--sample", type=int, default=0, help="so many of each; 0: all of them")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--least", type=float, default=80.0, help="per cent that must be killed")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _one(given: argparse.Namespace) -> int:
    """One module, in this process."""
    import pytest

    from tests.mutants.forks import Forks
    from tests.mutants.sites import Site

    module, tests = MODULES[given.one]

    def choose(every: list[Site]) -> Sequence[Site]:
        if not given.sample or given.sample >= len(every):
            return every
        return random.Random(given.seed).sample(every, given.sample)

    forks = Forks(module, choose)
    options = ["-q", "--no-header", "-p", "no:cacheprovider"]
    pytest.main([*options, "-m", "not processes and not slow", *tests], plugins=[forks])
    print(json.dumps(_as_json(given.one, forks.verdict)))
    return 0


def _as_json(name: str, verdict: Any) -> dict[str, Any]:
    left = [(site, "survived") for site in verdict.survived]
    left += [(site, "not reached") for site in verdict.unreached]
    return {
        "module": name,
        "mutants": verdict.all,
        "tried": verdict.tried,
        "killed": verdict.killed,
        "score": round(100 * verdict.killed / max(verdict.tried, 1), 1),
        "seconds": round(verdict.seconds),
        "left": [
            f"{site.line} {'.'.join(site.path)}: {site.what} ({how})"
            for site, how in sorted(left, key=lambda pair: pair[0].number)
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
