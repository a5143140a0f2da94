"""Least squares with coefficients that cannot be negative, for a handful of
unknowns: costs are never below nothing."""


def solve(a, b):
    """x of a x = b by elimination with pivots; None: no single solution."""
    n = len(a)
    rows = [list(a[i]) + [b[i]] for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        if abs(rows[pivot][i]) < 1e-12:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(n):
            if r != i:
                f = rows[r][i] / rows[i][i]
                rows[r] = [x - f * y for x, y in zip(rows[r], rows[i])]
    return [rows[i][n] / rows[i][i] for i in range(n)]


def fit(samples, targets):
    """The coefficients, one for each column of `samples`, that come closest to
    `targets` in relative terms: a run of small cost counts as much as one of
    large. Columns whose coefficient would be negative are left out, the worst
    first, and get 0."""
    used = list(range(len(samples[0])))
    scaled = [[v / t for v in row] for row, t in zip(samples, targets)]
    while used:
        # Columns of very different size make elimination lose digits.
        size = {c: max(abs(row[c]) for row in scaled) or 1.0 for c in used}
        columns = {c: [row[c] / size[c] for row in scaled] for c in used}
        a = [[sum(x * y for x, y in zip(columns[i], columns[j]))
              for j in used] for i in used]
        b = [sum(columns[i]) for i in used]
        found = solve(a, b)
        if found is None:
            used.pop()
            continue
        worst = min(range(len(used)), key=lambda k: found[k])
        if found[worst] < 0:
            used.pop(worst)
            continue
        result = [0.0] * len(samples[0])
        for c, x in zip(used, found):
            result[c] = x / size[c]
        return result
    return [0.0] * len(samples[0])
