"""What keeps a node running and what shows that it works: metrics, health, backup and the demo.

Nothing in here decides what a record means. The demo's catalogs are in `node/operations/samples`.
"""
