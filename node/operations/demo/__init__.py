"""The demo: three communities on this machine trade, share the revenue and are audited (DESIGN section 11).

`stage` is the folder that it happens in. `village`, `processes`, `api_client` and `settling` run any number of
real nodes and drive them through what everybody has. `story` is what the three do; `auditing`, `liar` and
`sabotage` are what comes after.

    exit_code = run_demo(DemoOptions(sabotage=True))
"""

from node.operations.demo.run import run_demo
from node.operations.demo.stage import DemoOptions

__all__ = ["DemoOptions", "run_demo"]
