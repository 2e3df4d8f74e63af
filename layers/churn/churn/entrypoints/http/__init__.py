"""REST: the table of routes, what goes in and out, who may what, and the framework, which nothing else knows."""
