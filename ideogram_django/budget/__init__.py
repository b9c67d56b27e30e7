"""Money: prices, limits, reservations and the ledger. The only place that changes money."""
