"""How a tenant's figures are written, beside what ``humane`` knows."""
