"""One file for each kind of table; `../make_tables.py` puts them into the pages."""
