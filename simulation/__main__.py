"""`make simulate`: run seeds in which everything goes wrong, and check what came of each.

`make simulate ARGS="--seed 7"` tells one seed's story again, exactly as it was.
"""

import sys

from simulation.stillness import exact_process, install

if __name__ == "__main__":
    exact_process(sys.argv[1:])
    install()
    from simulation.command import main

    main()
