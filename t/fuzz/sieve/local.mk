# Fuzz targets of the Sieve language.
