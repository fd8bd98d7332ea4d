"""The files for CI vendors, held against the vendors' own rules and run by real runners."""
