"""What it takes to run it: chart, alerts, dashboards, and the code that makes them; not part of what is shipped."""
