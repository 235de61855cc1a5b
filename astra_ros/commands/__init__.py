"""The words of the `astra` command."""
