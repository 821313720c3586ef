"""Sessions with other communities: listener, dialer, neighbours, and the dull driver behind them."""

from node.federation.federation import Federation

__all__ = ["Federation"]
