"""postgres.py: a dump of a PostgreSQL database of bot-like rows against pg_dump -Fc, on a server of the
benchmark's own. Not a test: tests/postgres. bench/run.py calls it."""
import os
import sys

from measure import ROOT, alternate, keeper_on

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
MB_OF_ROWS = 353  # what the rows below take with their indexes, for a size of 353


def fill(server, size):
    part = size / MB_OF_ROWS
    server.sql("create database bot")
    server.sql("create table users (id int primary key, name text, xp bigint, seen timestamptz, note text); "
               "insert into users select g, 'user' || g, (g::bigint * 7919) % 100003, "
               "now() - make_interval(secs => g), "
               "md5(g::text) || ' said ' || md5((g * 3)::text) from generate_series(1, {0}) g; "
               "create table messages (id bigserial primary key, user_id int, at timestamptz, body text); "
               "insert into messages (user_id, at, body) select (g::bigint * 31) % {0}, "
               "now() - make_interval(secs => g), "
               "repeat(substr(md5(g::text), 1, 8) || ' hello ', 1 + g % 6) from generate_series(1, {1}) g; "
               "create index on messages (user_id); create index on messages (at)"
               .format(int(400000 * part), int(1800000 * part)), "bot")


def dumps(folder, table, rounds, size):
    import servers
    peer = os.path.join(folder, "peer.dump")
    made = {}
    with servers.Postgres() as server:
        fill(server, size)
        socket = f"{server.folder.replace('/', '%2F')}:{server.port}"  # as the peer's programs connect
        options = {"database": server.url("bot", host=socket), "run_track": False,
                   "state_dir": os.path.join(folder, "pg.state"), "backup_dir": os.path.join(folder, "pg")}
        with keeper_on(folder, **options) as keeper:
            def ours(packing):
                made[packing] = keeper.backup.create(compress=packing).result()

            seen = alternate(rounds, peer=lambda: server.program("pg_dump", "-Fc", "-f", peer, "bot"),
                             plain=lambda: server.program("pg_dump", "-Fc", "-Z0", "-f", peer + "0", "bot"),
                             zstd=lambda: ours("zstd"), gzip=lambda: ours("gzip"))
            restored = alternate(1, ours=lambda: keeper.backup.restore().result())
    wall, cpu = seen["peer"]
    for packing, limit in (("zstd", 0.3), ("gzip", None)):
        table.row(f"PostgreSQL dump, {packing}", f"{seen[packing][0]:.2f} s, {seen[packing][1]:.2f} CPU-s; pg_dump -Fc "
                  f"{wall:.2f} s, {cpu:.2f} CPU-s", seen[packing][0] / wall, limit)
        table.row("its size", f"{made[packing]['bytes'] / 1e6:.0f} MB; {os.path.getsize(peer) / 1e6:.0f} MB",
                  made[packing]["bytes"] / os.path.getsize(peer), limit and 1)
    table.row("", f"pg_dump -Fc -Z0 {seen['plain'][0]:.2f} s", seen["zstd"][0] / seen["plain"][0])
    table.row("PostgreSQL restore, verified", f"{restored['ours'][0]:.2f} s, analyzed and swapped in")
