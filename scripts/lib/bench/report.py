"""Figures, their budgets, and how they are shown."""
import json
import math
import statistics

median = statistics.median


def percentile(samples, share):
    """The nearest-rank percentile: a value that was measured, never one between two."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def show(value, unit):
    if value is None:
        return "–"
    if unit == "s":
        return f"{value:.3f} s" if value >= 0.1 else f"{value * 1e3:.2f} ms"
    if unit == "µs":
        return f"{value:.2f} µs"
    if unit == "x":
        return f"{value:.2f}×"
    if unit == "MB":
        return f"{value:.2f} MB"
    if unit == "count":
        return f"{value:g}"
    return f"{value:.2f} {unit}"


class Report:
    """Single figures with a budget, comparisons between contenders, and notes."""

    def __init__(self):
        self.figures = []
        self.comparisons = []
        self.notes = []
        self.errors = []
        self.environment = {}

    def figure(self, part, name, value, unit, budget=None, samples=None):
        """`budget` is the most that is allowed, in the unit of the value."""
        self.figures.append({
            "part": part, "name": name, "value": value, "unit": unit, "budget": budget, "samples": samples,
            "within": None if budget is None or value is None else value <= budget})

    def spread(self, part, name, samples, budgets=(None, None)):
        """p50 and p99 of seconds."""
        self.figure(part, f"{name}, p50", percentile(samples, 0.5), "s", budgets[0], samples)
        self.figure(part, f"{name}, p99", percentile(samples, 0.99), "s", budgets[1])

    def compare(self, part, name, unit, samples, reference="native", budgets=()):
        """`samples`: {contender: [value of each round]}; `budgets`: (contender, against whom, highest ratio) of each."""
        base = samples.get(reference)
        row = {"part": part, "name": name, "unit": unit, "samples": samples, "contenders": {}}
        for contender, values in samples.items():
            row["contenders"][contender] = {
                "median": median(values),
                "ratio": median(value / other for value, other in zip(values, base)) if base else None}
        if base:
            row["noise"] = (max(base) - min(base)) / median(base)
        row["budgets"] = []
        for whom, against, most in budgets:
            if whom in samples and against in samples:
                ratio = median(value / other for value, other in zip(samples[whom], samples[against]))
                row["budgets"].append(
                    {"contender": whom, "against": against, "ratio": ratio, "most": most, "within": ratio <= most})
        self.comparisons.append(row)

    def note(self, text):
        self.notes.append(text)

    def error(self, text):
        self.errors.append(text)

    def noise(self):
        """How far the same work on the same files varied from round to round: below that, a difference is none."""
        rows = [row for row in self.comparisons if "noise" in row and len(next(iter(row["samples"].values()))) > 1]
        spreads = [row["noise"] / 2 for row in rows]
        if not spreads:
            return "noise: not known, nothing was repeated"
        return (f"noise: the reference of each comparison varied by ±{median(spreads) * 100:.0f} % (median of {len(spreads)}), "
                f"±{max(spreads) * 100:.0f} % at most; ratios are medians of ratios within a round")

    def text(self):
        lines = []
        if self.figures:
            rows = [("part", "figure", "measured", "budget", "")]
            for entry in self.figures:
                verdict = {None: "", True: "ok", False: "OVER"}[entry["within"]]
                budget = "" if entry["budget"] is None else f"≤ {show(entry['budget'], entry['unit'])}"
                rows.append((entry["part"], entry["name"], show(entry["value"], entry["unit"]), budget, verdict))
            lines += table(rows) + [""]
        groups = {}
        for row in self.comparisons:
            groups.setdefault(tuple(row["contenders"]), []).append(row)
        for names, group in groups.items():
            rows = [("part", "work", *names, "noise", "budget", "")]
            for row in group:
                cells = []
                for name in names:
                    entry = row["contenders"].get(name)
                    ratio = f" ({entry['ratio']:.2f}×)" if entry and entry["ratio"] is not None else ""
                    cells.append(show(entry["median"], row["unit"]) + ratio if entry else "–")
                goal = "; ".join(f"{one['contender']} {one['ratio']:.2f}× {one['against']}, ≤ {one['most']}×" for one in row["budgets"])
                over = [one["contender"] for one in row["budgets"] if not one["within"]]
                verdict = "" if not row["budgets"] else f"OVER: {', '.join(over)}" if over else "ok"
                noise = f"±{row['noise'] * 50:.0f} %" if "noise" in row else ""
                rows.append((row["part"], row["name"], *cells, noise, goal, verdict))
            lines += table(rows) + [""]
        lines += [f"note: {text}" for text in self.notes]
        lines += [f"ERROR: {text}" for text in self.errors]
        return "\n".join(lines)

    def json(self):
        return json.dumps({
            "environment": self.environment, "noise": self.noise(), "figures": self.figures, "comparisons": self.comparisons,
            "notes": self.notes, "errors": self.errors}, indent=1, ensure_ascii=False)


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines
