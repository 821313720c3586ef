"""What `scripts/bench` measures, one module a figure; `mix` says of what records. See the README."""
