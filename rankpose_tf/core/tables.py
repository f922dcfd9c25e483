"""Tables as text: for a page, and for a terminal."""


def markdown(header, rows):
    """A table in Markdown, without a line's end after the last row.

    Args:
      header: sequence of the columns' titles.
      rows: iterable of sequences as long as the header; cells are made text.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def aligned(header, rows):
    """A table of columns as wide as they need, the first flush left and the others right.

    Args:
      header, rows: as for `markdown`.
    """
    lines = [[str(cell) for cell in line] for line in (header, *rows)]
    first, *widths = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        "  ".join([title.ljust(first), *map(str.rjust, cells, widths)]) for title, *cells in lines
    )
