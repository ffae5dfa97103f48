"""What commands show: tables, bars, progress and logs, on a terminal or in a pipe."""
