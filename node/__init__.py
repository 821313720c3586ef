"""One community's node: the only place with sockets, clocks, threads, key files and pages for people.

Everything that a person may do is one function in `node/actions`; the command line, the API and the pages
call those and nothing else. Rules live in `protocol`, bytes in `storage`: this package receives, asks
them, performs what they say, and repeats. Nothing below imports it.
"""
