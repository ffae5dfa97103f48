"""The score database: schema, connections and the statements on them."""
