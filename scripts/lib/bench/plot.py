"""A plot of the part `scale` as SVG: seconds and megabytes over the number of files, both axes logarithmic."""
import math

LINES = (
    ("ready", "first mount, empty cache (s)", "#0072b2"), ("seal", "sealing (s)", "#d55e00"),
    ("lazy walk", "first walk, lazy (s)", "#009e73"), ("sealed walk again", "first walk, sealed (s)", "#cc79a7"),
    ("image", "image (MB)", "#e69f00"), ("owner after sealing", "owner's memory (MB)", "#56b4e9"), ("index", "index (MB)", "#555555"))
WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 760, 420, 60, 20, 420, 340


def plot(rows):
    values = [row[key] for row in rows for key, _, _ in LINES]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = (math.log10(row["files"]) for row in (rows[0], rows[-1]))

    def place(files, value):
        across = (math.log10(files) - first) / (last - first)
        up = (math.log10(value) - low) / (high - low)
        return LEFT + across * PLOT_WIDTH, TOP + (1 - up) * PLOT_HEIGHT

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for power in range(low, high + 1):
        _, y = place(rows[0]["files"], 10 ** power)
        out.append(f'<path d="M{LEFT} {y:.1f}h{PLOT_WIDTH}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0 ** power:g}</text>')
    for row in rows:
        x, _ = place(row["files"], 10 ** low)
        out.append(f'<path d="M{x:.1f} {TOP}v{PLOT_HEIGHT}" stroke="#ddd"/>'
                   f'<text x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 18}" text-anchor="middle">{row["files"]:,} files</text>')
    for number, (key, name, color) in enumerate(LINES):
        points = [place(row["files"], row[key]) for row in rows]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points]
        y = TOP + 14 + number * 20
        out.append(f'<path d="M{LEFT + PLOT_WIDTH + 24} {y - 4}h18" stroke="{color}" stroke-width="2"/>'
                   f'<text x="{LEFT + PLOT_WIDTH + 48}" y="{y}">{name}: {rows[-1][key]:.3g}</text>')
    out.append(f'<text x="{LEFT + PLOT_WIDTH + 24}" y="{TOP + 14 + len(LINES) * 20 + 8}" fill="#555">(at the right end)</text></svg>\n')
    return "\n".join(out)
