"""Six fixed tasks that somebody does twice: with slip, and with a shell alone.

    python -m bench.agents make DIR TASK [--arm slip|shell]     builds DIR/repo and DIR/TASK.md
    python -m bench.agents check DIR [TASK]                     compares what came out, byte by byte
    python -m bench.agents report DIR…                          what it took, as a table

The tasks say what shall be, never how. Calls are recorded by the programs in DIR/bin.
"""
