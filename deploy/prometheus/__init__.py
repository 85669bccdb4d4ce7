"""Recording and alerting rules, made by code."""
