"""What `scripts/simulate` runs: worlds of nodes under a virtual clock, harmed, healed and judged from outside.

A scenario is one short file in `scenarios/`: `arrange(world)` plans harm by the calls of `harms.py`. A machine of
`protocol/exchange` is plugged in in one place, `machines.py`. What must hold stands in `oracle.py`; the node
around the machines, small and without decisions of its own, in `node.py`, `writer.py`, `links.py`, `serving.py`,
`proving.py`. Mistakes are planted by `planting.py`; crowds of a thousand cheap nodes live in `crowd.py`.

    run = simulate(SCENARIOS["crashes"], nodes=8, seed=7)      # simulation.world, simulation.scenarios
    run.violations, run.digest, run.counts
"""
