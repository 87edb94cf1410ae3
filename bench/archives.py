"""archives.py: packed backups and restores against sqlite3, pigz, zstd and Python's own modules, and how
their cost grows with the database. bench/run.py calls it; measure.py does the measuring."""
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import database
from measure import HERE, ROOT, alternate, median, run, sync

PROGRAM = os.path.join(ROOT, "build", "release", "botkeep")


def without_isal(folder):
    """An environment in which the library cannot open ISA-L: a file of its name that is none comes first."""
    shadow = os.path.join(folder, "shadow")
    os.makedirs(shadow, exist_ok=True)
    with open(os.path.join(shadow, "libisal.so.2"), "wb"):
        pass
    return dict(os.environ, LD_LIBRARY_PATH=shadow)


def create(folder, compress, env=None):
    """One backup by the program, whole process; its result."""
    done = subprocess.run([PROGRAM, "backup", "create", "--json", "--database", os.path.join(folder, "bot.db"),
                           "--backup-dir", os.path.join(folder, "backups"), "--backup-keep", "1",
                           "--compress", compress], check=True, capture_output=True, env=env)
    return json.loads(done.stdout)


class Peer:
    """Backups as they are made without us, each from nothing to a flushed file."""

    def __init__(self, folder):
        self.source, self.copy = os.path.join(folder, "bot.db"), os.path.join(folder, "copy.db")
        self.bytes = {}

    def clean(self):
        for ending in ("", ".gz", ".zst", ".raw"):
            if os.path.exists(self.copy + ending):
                os.remove(self.copy + ending)

    def done(self, name, ending):
        sync(self.copy + ending)
        self.bytes[name] = os.path.getsize(self.copy + ending)

    def pigz(self):
        self.clean()
        run("sqlite3", self.source, f".backup {self.copy}")
        run("pigz", "-1", "-p2", self.copy)
        self.done("pigz", ".gz")

    def zstd(self):
        self.clean()
        run("sqlite3", self.source, f".backup {self.copy}")
        run("zstd", "-q", "--rm", "-1", "-T2", self.copy)
        self.done("zstd", ".zst")

    def python(self):
        self.clean()
        db = sqlite3.connect(self.source)
        db.execute("VACUUM INTO ?", (self.copy,))
        db.close()
        with open(self.copy, "rb") as plain, gzip.open(self.copy + ".gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        os.remove(self.copy)
        self.done("python", ".gz")


def told(seen, ours, peer, name):
    """Both as wall and CPU seconds, and the ratio of the walls."""
    figures = [f"{seen[which][0]:.2f} s, {seen[which][1]:.2f} CPU-s" for which in (ours, peer)]
    return f"{figures[0]}; {name} {figures[1]}", seen[ours][0] / seen[peer][0]


def archives(folder, table, rounds):
    """Verified on the way, read back, published; the peers' are written and flushed."""
    peer, plain, ours = Peer(folder), without_isal(folder), {}

    def fast():
        ours["gzip"] = create(folder, "gzip")["bytes"]

    def slow():
        ours["slow"] = create(folder, "gzip", plain)["bytes"]

    def zstd():
        ours["zstd"] = create(folder, "zstd")["bytes"]

    seen = alternate(rounds, peer=peer.pigz, fast=fast, slow=slow)
    table.row("gzip backup, with ISA-L", *told(seen, "fast", "peer", ".backup + pigz -1"), 0.5)
    table.row("gzip backup, without ISA-L", *told(seen, "slow", "peer", "the same"), 0.7)
    for name, title in (("gzip", "its size, with ISA-L"), ("slow", "its size, without")):
        table.row(title, f"{ours[name] / 1e6:.0f} MB; {peer.bytes['pigz'] / 1e6:.0f} MB",
                  ours[name] / peer.bytes["pigz"], 1.05)
    seen = alternate(rounds, peer=peer.zstd, ours=zstd)
    table.row("zstd backup", *told(seen, "ours", "peer", ".backup + zstd -1 -T2"), 0.65)
    table.row("its size", f"{ours['zstd'] / 1e6:.0f} MB; {peer.bytes['zstd'] / 1e6:.0f} MB",
              ours["zstd"] / peer.bytes["zstd"])
    # Half a minute each for 500 MB: two runs, and the last counts.
    seen = alternate(1, peer=peer.python, fast=fast)
    table.row("gzip backup, with ISA-L", *told(seen, "fast", "peer", "VACUUM INTO + gzip module"), 0.083)
    peer.clean()


def restores(folder, table, rounds):
    peer = Peer(folder)
    for compress, unpack in (("gzip", "gunzip"), ("zstd", "zstd")):
        made = create(folder, compress)

        def theirs():
            peer.clean()
            with open(peer.copy + ".raw", "wb") as out:
                subprocess.run([unpack, "-dc", made["path"]], stdout=out, check=True)
            run("cp", peer.copy + ".raw", peer.copy)
            sync(peer.copy)

        def ours():
            peer.clean()
            subprocess.run([PROGRAM, "backup", "restore", "--json", "--database", peer.source, "--backup-dir",
                            os.path.join(folder, "backups"), "--name", made["name"], "--to", peer.copy],
                           check=True, capture_output=True)

        seen = alternate(rounds, theirs=theirs, ours=ours)
        table.row(f"restore of {compress}, verified", *told(seen, "ours", "theirs", f"{unpack} + cp"),
                  0.6 if compress == "gzip" else None)
    peer.clean()


def growth(folder, table, rounds, large):
    """How time and memory grow with the database: per byte the same time, the same peak."""
    sizes = [50, 500] + ([5000] if large else [])
    for compress in ("gzip", "zstd"):
        first = None
        for size in sizes:
            place = os.path.join(folder, f"grown{size}")
            if not os.path.isdir(place):
                os.mkdir(place)
                database.make(os.path.join(place, "bot.db"), size)
            walls, cpus, peaks = [], [], []
            for turn in range((rounds if size < 5000 else 1) + 1):
                wall, cpu, peak = alone(place, compress)
                if turn or size >= 5000:
                    walls.append(wall), cpus.append(cpu), peaks.append(peak)
            real = os.path.getsize(os.path.join(place, "bot.db")) / 1e6
            each = median(cpus) / real
            first = first or each
            table.row(f"{compress} backup of {size} MB",
                      f"{median(walls):.2f} s, {median(cpus):.2f} CPU-s, peak {median(peaks):.1f} MB; "
                      "CPU per MB against 50 MB", each / first, 1.3)
    for size in sizes:
        shutil.rmtree(os.path.join(folder, f"grown{size}"))


def alone(folder, compress):
    """One backup in a Python process of its own: wall, CPU seconds, and the peak over that process before."""
    script = (f"import sys, os, time; sys.path.insert(0, {HERE!r})\n"
              "from measure import keeper_on, reset_peak, status_kb\n"
              "reset_peak(); before = status_kb('VmRSS')\n"
              f"with keeper_on({folder!r}) as keeper:\n"
              "    wall, cpu = time.perf_counter(), time.process_time()\n"
              f"    keeper.backup.create(compress={compress!r}).result()\n"
              "    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu\n"
              "    print(wall, cpu, (status_kb('VmHWM') - before) / 1024)\n")
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]
