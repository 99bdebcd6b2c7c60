"""Rails move money in and out: one file each."""
