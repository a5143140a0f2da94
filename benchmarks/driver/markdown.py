"""Tables and lists that read well as they are and rendered."""


def table(head, lines):
    """Cells are texts; columns are padded."""
    lines = [head, *lines]
    widths = [max(len(line[c]) for line in lines) for c in range(len(head))]
    text = [f"| {' | '.join(cell.ljust(w) for cell, w in zip(line, widths))} |"
            for line in lines]
    text.insert(1, f"|{'|'.join('-' * (w + 2) for w in widths)}|")
    return "\n".join(text)


def bullets(lines):
    return "\n".join(f"* {line}" for line in lines)
