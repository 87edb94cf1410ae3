"""__main__.py: `python -m botkeep ...` and the command `botkeep`: the program that lies beside the
library. Not a command line of its own."""
import os
import sys
from typing import NoReturn

from ._library import candidates


def main() -> NoReturn:
    """Becomes the program, so that signals and the exit code are its own."""
    program = os.path.join(os.path.dirname(candidates()[0]), "botkeep")
    try:
        os.execv(program, [program] + sys.argv[1:])
    except OSError as error:
        sys.exit("the program %s cannot be started: %s. Nothing was touched. Install the package "
                 "again, or build with ./dev build." % (program, error))


if __name__ == "__main__":
    main()
