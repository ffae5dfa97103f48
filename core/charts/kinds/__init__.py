"""One file for each kind of chart: the values that it shows, and how it is drawn."""
