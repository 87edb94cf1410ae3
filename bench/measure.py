"""measure.py: a keeper to measure, medians of alternating runs, /proc figures, tables. Not the benchmarks themselves;
bench/run.py and its parts call it."""
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
LIBRARY = os.path.join(ROOT, "build", "release", "libbotkeep.so.0")
sys.path.insert(0, os.path.join(ROOT, "bindings", "python"))
os.environ["BOTKEEP_LIBRARY"] = LIBRARY

from botkeep import Keeper  # noqa: E402


def keeper_on(folder, **options):
    """A keeper of folder/bot.db that does nothing by itself."""
    given = dict(database=os.path.join(folder, "bot.db"), backup_dir=os.path.join(folder, "backups"),
                 backup_keep=1, backup_enabled=False, health_enabled=False, log_level="none")
    given.update(options)
    return Keeper(**given)


def timed(work):
    """Seconds of wall time and of CPU (children included) that work() takes."""
    before, cpu = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - before, cpu_seconds() - cpu


def cpu_seconds():
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def alternate(rounds, **works):
    """Each work once untimed, then rounds times in turn: {name: (median wall, median cpu)}."""
    seen = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            once = timed(work)
            if turn:
                seen[name].append(once)
    return {name: tuple(statistics.median(column) for column in zip(*runs))
            for name, runs in seen.items()}


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def status_kb(field):
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise LookupError(field)


def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def median(values):
    return statistics.median(values)


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Table:
    """Lines of name, figures, ratio and limit; says at the end which limits were missed."""

    def __init__(self):
        self.missed = []

    def row(self, name, text, ratio=None, limit=None, unit="x"):
        verdict = ""
        if limit is not None:
            good = ratio <= limit
            verdict = f"(at most {limit}{unit})" if good else f"MISSED (at most {limit}{unit})"
            if not good:
                self.missed.append(name)
        value = "" if ratio is None else f"{ratio:8.2f}{unit}"
        print(f"  {name:<34} {text:<58} {value} {verdict}", flush=True)
