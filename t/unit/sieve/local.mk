# Tests of the Sieve language: one program each.
