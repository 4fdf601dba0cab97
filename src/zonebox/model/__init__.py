"""oned's objects and rules: pure of sockets and processes, one file a kind of object."""
