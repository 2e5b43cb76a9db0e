"""Every number of the protocol as data: sets, downloads and the built-in outlines."""
