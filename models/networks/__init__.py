"""The networks, one file each and their parts, and the table of them."""
