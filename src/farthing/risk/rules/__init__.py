"""Built-in rules, one file each: a file's name is its section under `[risk.rules]`."""
