"""Charts: plain values to Vega-Lite specifications, for the page, the browser, notebooks, files."""
