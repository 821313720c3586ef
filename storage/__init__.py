"""Keeps bytes and rebuildable views; knows nothing of sockets, clocks or pages."""
