"""Orders of the past, played again by running nodes of today.

`source` reads the files, `sectors` and `plan` say what is to be published and ordered; `arrivals`, `market`,
`order` and `replaying` drive the nodes through `/api/v1` alone; `run` is one replay from the files to the
audited totals.

    exit_code = run_replay(DemoOptions(replay=Path("olist"), communities=8))
"""
