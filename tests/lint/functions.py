"""functions.py: functions stay short and take few parameters. Not a measure of how good they
are. tests/lint/run calls it.
"""
import statistics

from sources import c_files, functions

# Callbacks whose parameters another library lays down (here sqlite3_set_authorizer).
PRESCRIBED = {'on_authorize'}


def check():
    ours = [f for path in c_files('src') for f in functions(path)]
    every = ours + [f for path in c_files('tests', 'bindings', 'demo', 'bench', 'docs')
                    for f in functions(path)]
    place = '%s:%d: %s() '
    yield 'no function of C is longer than 100 lines', [
        place % (f.path, f.line, f.name) + 'has %d lines' % f.lines for f in every if f.lines > 100]
    yield 'no function of C takes more than 5 parameters', [
        place % (f.path, f.line, f.name) + 'takes %d' % f.parameters
        for f in every if f.parameters > 5 and f.name not in PRESCRIBED]
    lengths = sorted(f.lines for f in ours) or [0]
    median = statistics.median(lengths)
    yield ('the median of %d functions in src is %g lines' % (len(ours), median),
           [] if ours and median <= 15 else ['the median may be 15'])
    long = [f for f in ours if f.lines >= 50]
    share = 1 - len(long) / max(1, len(ours))
    yield ('%.1f of 100 functions in src are under 50 lines' % (100 * share),
           [] if share >= 0.9 else [place % (f.path, f.line, f.name) + '%d lines' % f.lines
                                    for f in long])
