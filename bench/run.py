#!/usr/bin/env python3
"""bench/run.py: botkeep against sqlite3, pigz, zstd, cp and psutil on a bot-like database, in one run,
alternating, medians. Not a test: no limit here fails a build. ./dev bench calls it."""
import argparse
import asyncio
import ctypes
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import archives
import changes
import database
import postgres
from measure import HERE, LIBRARY, Table, alternate, keeper_on, percentile, reset_peak, run, status_kb, sync


def snapshots(folder, table, rounds):
    """A raw, fsynced snapshot; the backup's own proof is counted apart and together."""
    source, copy = os.path.join(folder, "bot.db"), os.path.join(folder, "copy.db")
    phases, flushes = [], []

    def clean():
        if os.path.exists(copy):
            os.remove(copy)

    def dot_backup():
        clean()
        run("sqlite3", source, f".backup {copy}")
        sync(copy)

    def copy_file():
        clean()
        run("cp", source, copy)
        before = time.perf_counter()
        sync(copy)
        flushes.append(time.perf_counter() - before)

    with keeper_on(folder) as keeper:
        def ours():
            made = keeper.backup.create(compress="none").result()
            phases.append(made["snapshot_ms"] / 1000)

        seen = alternate(rounds, backup=dot_backup, copy=copy_file, ours=ours)
    clean()
    # The backup flushes while it proves; what a flush of as many bytes costs is measured beside it.
    flush = statistics.median(flushes[1:])
    snapshot = statistics.median(phases[1:]) + flush
    peer, copied = seen["backup"][0], seen["copy"][0]
    table.row("raw snapshot, fsynced", f"{snapshot - flush:.2f} + {flush:.2f} s; sqlite3 .backup {peer:.2f} s",
              snapshot / peer, 0.8)
    table.row("", f"cp + fsync {copied:.2f} s", snapshot / copied)
    table.row("raw backup, proven and read back", f"{seen['ours'][0]:.2f} s, {seen['ours'][1]:.2f} CPU-s; "
              f".backup {seen['backup'][1]:.2f} CPU-s", seen["ours"][0] / peer)


def encryption(folder, table, rounds):
    key = os.path.join(folder, "key")
    with keeper_on(folder) as keeper:
        keeper.backup.key(to=key).result()
    with keeper_on(folder) as plain, keeper_on(folder, backup_key_file=key,
                                               backup_dir=os.path.join(folder, "sealed")) as sealed:
        for packing in ("gzip", "none"):
            seen = alternate(rounds, off=lambda: plain.backup.create(compress=packing).result(),
                             on=lambda: sealed.backup.create(compress=packing).result())
            for at, what in ((0, "s"), (1, "CPU-s")):
                table.row(f"encryption on {packing}, {what}", f"{seen['on'][at]:.2f} {what}; off "
                          f"{seen['off'][at]:.2f} {what}", seen["on"][at] / seen["off"][at],
                          1.15 if packing == "gzip" else None)
        restored = {}
        copy = os.path.join(folder, "copy.db")

        def restore(keeper):
            if os.path.exists(copy):
                os.remove(copy)
            restored["bytes"] = keeper.backup.restore(to=copy).result()["bytes"]

        plain.backup.create(compress="gzip").result()
        sealed.backup.create(compress="gzip").result()
        seen = alternate(rounds, off=lambda: restore(plain), on=lambda: restore(sealed))
        os.remove(copy)
    table.row("encrypted restore to a file", f"{seen['on'][0]:.2f} s, {seen['on'][1]:.2f} CPU-s; off "
              f"{seen['off'][0]:.2f} s, {seen['off'][1]:.2f} CPU-s", seen["on"][0] / seen["off"][0])


def health(folder, table, rounds):
    import psutil
    process = psutil.Process()

    def peer():
        for _ in range(200):
            with process.oneshot():
                process.memory_info(), process.cpu_times()
            psutil.virtual_memory(), psutil.cpu_percent()
            psutil.disk_usage(folder), psutil.disk_usage("/")

    with keeper_on(folder) as keeper:
        keeper.health.snapshot().result()

        def ours():
            for _ in range(200):
                keeper.health_now()

        def probed():
            for _ in range(200):
                keeper.health.snapshot().result()

        seen = alternate(rounds, peer=peer, ours=ours, probed=probed)
    peer_us, ours_us, probed_us = (1e6 * seen[name][0] / 200 for name in ("peer", "ours", "probed"))
    table.row("health snapshot", f"{ours_us:.1f} us through ctypes; psutil {peer_us:.1f} us",
              ours_us / peer_us, 0.25)
    table.row("", f"as a job that reads a page of the database {probed_us:.0f} us", probed_us / peer_us)


class Writer(threading.Thread):
    """Commits paced inserts and keeps how long each took."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.latencies, self.going = [], True

    def run(self):
        while self.going:
            before = time.perf_counter()
            self.db.execute("INSERT INTO messages (user_id, at, body) VALUES (1, 1, 'latency')")
            self.latencies.append(time.perf_counter() - before)
            time.sleep(0.002)

    def take(self):
        taken, self.latencies = self.latencies, []
        return taken


def write_latency(folder, table, rounds):
    seen = {"idle": [], "busy": []}
    writer = Writer(os.path.join(folder, "bot.db"))
    writer.start()
    with keeper_on(folder) as keeper:
        for _ in range(rounds):
            job = keeper.backup.create(compress="gzip")
            writer.take()
            job.result()
            busy = writer.take()
            seen["busy"].append((percentile(busy, .5), percentile(busy, .99)))
            time.sleep(3)
            idle = writer.take()
            seen["idle"].append((percentile(idle, .5), percentile(idle, .99)))
    writer.going = False
    writer.join()
    writer.db.close()
    figures = {name: [1e6 * statistics.median(column) for column in zip(*runs)]
               for name, runs in seen.items()}
    for at, name, limit in ((0, "p50", None), (1, "p99", 1.2)):
        table.row(f"host write latency {name}", f"{figures['busy'][at]:.0f} us during a gzip backup; "
                  f"{figures['idle'][at]:.0f} us without", figures["busy"][at] / figures["idle"][at],
                  limit)


def memory(folder, table, label):
    """In a process of its own: the peak over the host's memory before the library was opened."""
    script = (f"import sys; sys.path.insert(0, {HERE!r})\n"
              "from measure import keeper_on, reset_peak, status_kb\n"
              "reset_peak(); before = status_kb('VmRSS')\n"
              f"with keeper_on({folder!r}) as keeper:\n"
              "    made = keeper.backup.create(compress='gzip').result()\n"
              "    keeper.backup.verify(name=made['name']).result()\n"
              "    keeper.health.snapshot().result()\n"
              "print((status_kb('VmHWM') - before) / 1024)\n")
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    peak = float(done.stdout)
    table.row(f"peak memory over the host, {label}", "backup, verify, health; in MB", peak, 16, " MB")


def opening(folder, table, rounds):
    loads, opens = [], []
    script = (f"import time, ctypes\nt = time.perf_counter(); ctypes.CDLL({LIBRARY!r})\n"
              "print(1000 * (time.perf_counter() - t))")
    for _ in range(rounds + 1):
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        loads.append(float(done.stdout))
        keeper = keeper_on(folder)
        before = time.perf_counter()
        with keeper:
            opens.append(1000 * (time.perf_counter() - before))
    table.row("loading the library", "in ms", statistics.median(loads[1:]), None, " ms")
    table.row("opening a keeper", "self-test and run record included; in ms",
              statistics.median(opens[1:]), 10, " ms")


def loop_stall(folder, table):
    """The longest an asyncio loop is late while a backup and a verify run on this database."""
    async def ticking(stalls, going):
        while going[0]:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            stalls.append(time.perf_counter() - before - 0.005)

    async def work():
        stalls, going = [], [True]
        ticker = asyncio.create_task(ticking(stalls, going))
        async with keeper_on(folder) as keeper:
            made = await keeper.backup.create(compress="gzip")
            await keeper.backup.verify(name=made["name"])
        going[0] = False
        await ticker
        return 1000 * max(stalls)

    table.row("longest event-loop stall", "asyncio, backup and verify; in ms", asyncio.run(work()), 50, " ms")


def section(name, wanted, work, *arguments):
    if not wanted or name in wanted:
        work(*arguments)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--size", type=int, default=500, help="the database's size in MB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", help="where the databases are made (default: a temporary folder)")
    parser.add_argument("--large", action="store_true", help="the growth up to 5 GB, which takes minutes")
    parser.add_argument("sections", nargs="*",
                        help="snapshot archive restore growth encryption changes postgres health latency "
                        "memory open stall")
    wanted = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="botkeep-bench-", dir=wanted.dir)
    table = Table()
    try:
        print(f"making a database of {wanted.size} MB", flush=True)
        database.make(os.path.join(folder, "bot.db"), wanted.size)
        print(f"medians of {wanted.rounds} alternating runs, {os.cpu_count()} processors")
        names, rounds = wanted.sections, wanted.rounds
        section("snapshot", names, snapshots, folder, table, rounds)
        section("archive", names, archives.archives, folder, table, rounds)
        section("restore", names, archives.restores, folder, table, rounds)
        section("growth", names, archives.growth, folder, table, rounds, wanted.large)
        section("encryption", names, encryption, folder, table, rounds)
        section("changes", names, changes.changes, folder, table, rounds)
        section("postgres", names, postgres.dumps, folder, table, rounds, wanted.size)
        section("health", names, health, folder, table, rounds)
        section("latency", names, write_latency, folder, table, rounds)
        section("memory", names, memory, folder, table, f"{wanted.size} MB")
        section("open", names, opening, folder, table, 5 * rounds)
        for size, name, work in ((50, "memory", memory), (2 * wanted.size, "stall", loop_stall)):
            if not names or name in names:
                other = os.path.join(folder, str(size))
                os.mkdir(other)
                database.make(os.path.join(other, "bot.db"), size)
                if work is memory:
                    work(other, table, f"{size} MB")
                else:
                    work(other, table)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("all limits held" if not table.missed else "limits missed: " + ", ".join(table.missed))


if __name__ == "__main__":
    main()
