"""tools.py: the backups of five bots' own tools, made the way those tools make them: the same calls in
the same order, the same names. Not tests: tests/adopt/run calls it.
"""
import datetime
import gzip
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess

UTC = datetime.timezone.utc


def iso_ms(when):
    """JavaScript's toISOString() with : and . replaced, as the bots write it into names."""
    return when.strftime('%Y-%m-%dT%H-%M-%S-') + '%03dZ' % (when.microsecond // 1000)


def gzip_file(source, target):
    with open(source, 'rb') as reader, gzip.open(target, 'wb') as writer:
        shutil.copyfileobj(reader, writer)


# ---- OSBot: copyFileSync of the live files, one after the other --------------------------------------

def osbot(database, folder, when, kind='manual', form=iso_ms):
    path = os.path.join(folder, '%s_%s.db' % (kind, form(when)))
    shutil.copyfile(database, path)
    for side in ('-wal', '-shm'):
        if os.path.exists(database + side):
            shutil.copyfile(database + side, path + side)
    return path


def osbot_pre_restore(database, folder, when):
    path = os.path.join(folder, 'pre_restore_%s.db' % iso_ms(when))
    shutil.copyfile(database, path)
    return path


# ---- DMarket: VACUUM INTO and gzip; pg_dump -F c, called .sql when it is not "compressed" ------------

def dmarket(database, folder, when, compress=True):
    path = os.path.join(folder, 'dmarket_bot_sqlite_%s.db' % when.strftime('%Y%m%d_%H%M%S_%f'))
    db = sqlite3.connect(database)
    db.execute("VACUUM INTO '%s'" % path)
    db.close()
    if compress:
        gzip_file(path, path + '.gz')
        os.unlink(path)
        path += '.gz'
    return path


def dmarket_pre_restore(database):
    path = pathlib.Path(database).with_suffix('.pre_restore')
    shutil.copy2(database, path)
    return str(path)


def dmarket_postgres(server, name, folder, when, compress=True):
    path = os.path.join(folder, 'dmarket_bot_postgresql_%s.%s' % (when.strftime('%Y%m%d_%H%M%S_%f'),
                                                                 'dump' if compress else 'sql'))
    pg_dump(server, name, path, '-F', 'c')
    return path


def pg_dump(server, name, path, *flags):
    with open(path, 'wb') as out:
        subprocess.run(['pg_dump', '-h', '127.0.0.1', '-p', str(server.port), '-U', 'postgres', '-d', name,
                        *flags], stdout=out, env=server.environment(), check=True)


# ---- Music Legends: SQLite's backup API or pg_dump -F p, then gzip, in a folder for each type ---------

def music(database, folder, when, kind='daily', suffix='', server=None):
    inner = os.path.join(folder, kind) if kind in ('daily', 'critical', 'shutdown') else folder
    os.makedirs(inner, exist_ok=True)
    name = 'music_legends_%s_%s%s' % (kind, when.strftime('%Y-%m-%d_%H-%M-%S'), '_' + suffix if suffix else '')
    ending = 'sql' if server else 'db'
    path = os.path.join(inner, '%s.%s.gz' % (name, ending))
    temporary = os.path.join(inner, '%s.%s.tmp' % (name, ending))
    if server:
        pg_dump(server, database, temporary, '-F', 'p', '--no-owner', '--no-acl')
    else:
        source, target = sqlite3.connect(database), sqlite3.connect(temporary)
        source.backup(target)
        target.close()
        source.close()
    gzip_file(temporary, path)
    os.unlink(temporary)
    note_music(folder, path, kind, when, suffix)
    latest = os.path.join(folder, 'latest.%s.gz' % ending)
    if os.path.lexists(latest):
        os.unlink(latest)
    os.symlink(os.path.relpath(path, folder), latest)
    return path


def note_music(folder, path, kind, when, suffix):
    file = os.path.join(folder, 'backup_metadata.json')
    metadata = json.load(open(file, encoding='utf-8')) if os.path.exists(file) else {'backups': []}
    metadata['backups'].append({'path': path, 'type': kind, 'size_mb': os.path.getsize(path) / 1048576,
                                'timestamp': when.isoformat(), 'suffix': suffix})
    with open(file, 'w', encoding='utf-8') as out:
        json.dump(metadata, out, indent=2)


def music_script(database, folder, when):
    """backup_db.sh: cp of the live file, then the program gzip."""
    os.makedirs(os.path.join(folder, 'db'), exist_ok=True)
    path = os.path.join(folder, 'db', 'game_%s.db' % when.strftime('%Y-%m-%d_%H-%M'))
    subprocess.run(['cp', database, path], check=True)
    subprocess.run(['gzip', path], check=True)
    return path + '.gz'


# ---- the sql.js bot: export() written whole, then the program gzip -------------------------------------

def solana(image, folder, when, compress=True):
    path = os.path.join(folder, 'bot-db-%s.db' % iso_ms(when).replace('T', '_').rstrip('Z'))
    with open(path, 'wb') as out:
        out.write(image)
    if compress:
        subprocess.run(['gzip', path], check=True)
        path += '.gz'
    return path


# ---- Area51: a folder with a plain dump, an RDB and a manifest, then tar -------------------------------

def area51(server, name, redis, folder, when, compress=True):
    later = when + datetime.timedelta(milliseconds=7)  # each file computes a time of its own
    ident = 'backup_' + iso_ms(when)
    path = os.path.join(folder, ident)
    os.makedirs(path)
    dump = os.path.join(path, 'database_%s.sql' % iso_ms(later))
    subprocess.run(['pg_dump', '-h', '127.0.0.1', '-p', str(server.port), '-U', 'postgres', '-d', name,
                    '--no-password', '--verbose', '--clean', '--if-exists', '--create', '-f', dump],
                   env=server.environment(), check=True, stderr=subprocess.DEVNULL)
    rdb = os.path.join(path, 'redis_%s.rdb' % iso_ms(later))
    if redis:
        subprocess.run(['redis-cli', '-h', '127.0.0.1', '-p', str(redis.port), '--rdb', rdb], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    manifest = {'backupId': ident, 'timestamp': iso_ms(when), 'database': dump, 'redis': rdb if redis else None,
                'version': '1.0', 'created_at': when.isoformat(),
                'system': {'node_version': 'v18.17.0', 'platform': 'linux', 'arch': 'x64'},
                'config': {'retention_days': 7, 'compression_enabled': compress}}
    with open(os.path.join(path, 'manifest.json'), 'w', encoding='utf-8') as out:
        json.dump(manifest, out, indent=2)
    if not compress:
        return path
    subprocess.run(['tar', '-czf', path + '.tar.gz', '-C', folder, ident], check=True)
    shutil.rmtree(path)
    return path + '.tar.gz'


# ---- anybody's: SQLite's text dumps ----------------------------------------------------------------------

def shell_dump(database, path):
    with open(path, 'wb') as out:
        subprocess.run(['sqlite3', database, '.dump'], stdout=out, check=True)
    return path


def python_dump(database, path):
    db = sqlite3.connect(database)
    with open(path, 'w', encoding='utf-8') as out:
        for line in db.iterdump():
            out.write(line + '\n')
    db.close()
    return path
