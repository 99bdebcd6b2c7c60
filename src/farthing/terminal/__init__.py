"""How every command behaves: data on stdout, talk on stderr, one exit code per outcome."""
