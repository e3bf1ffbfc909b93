# SPDX-License-Identifier: GPL-2.0-or-later
"""Charts by gnuplot: bars with their spread, stacked bars, lines over the length of the chain."""
import pathlib
import shutil
import subprocess

from figures import Spread

# Told apart by people who do not see all colours, too (Okabe and Ito).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442", "#999999")
HEAD = """\
set terminal pngcairo size 900,480 font "DejaVu Sans,10" background rgb "white"
set output "{file}"
set title "{title}" noenhanced
set ylabel "{ylabel}" noenhanced
set yrange [0:*]
set grid ytics lc rgb "#dddddd"
set key outside right top noenhanced
set datafile missing "?"
set border 3
set tics nomirror
"""


def available() -> bool:
    return shutil.which("gnuplot") is not None


def _draw(file: pathlib.Path, title: str, ylabel: str, script: str) -> None:
    text = HEAD.format(file=file, title=title, ylabel=ylabel) + script
    done = subprocess.run(["gnuplot"], input=text, capture_output=True, text=True, check=False)
    if done.returncode or not file.exists():
        raise RuntimeError(f"gnuplot: {done.stderr.strip()}")


def _table(rows: list[list[str]]) -> str:
    return "$data << END\n" + "\n".join(" ".join(row) for row in rows) + "\nEND\n"


def _triple(value: Spread | None) -> list[str]:
    return [f"{value.median:.6g}", f"{value.low:.6g}", f"{value.high:.6g}"] if value else ["?", "?", "?"]


def bars(file: pathlib.Path, title: str, ylabel: str, categories: list[str], series: dict[str, list[Spread | None]]) -> None:
    rows = [[f'"{category}"', *(cell for values in series.values() for cell in _triple(values[n]))]
            for n, category in enumerate(categories)]
    plots = [f'$data using {2 + 3 * n}:{3 + 3 * n}:{4 + 3 * n}:xtic(1) title "{name}" lc rgb "{COLOURS[n % len(COLOURS)]}"'
             for n, name in enumerate(series)]
    _draw(file, title, ylabel, _table(rows) + "set style data histograms\nset style histogram errorbars gap 1 lw 1\n"
          "set style fill solid 0.9\nset xtics noenhanced\nplot " + ", ".join(plots) + "\n")


def stacked(file: pathlib.Path, title: str, ylabel: str, categories: list[str], series: dict[str, list[float]]) -> None:
    rows = [[f'"{category}"', *(f"{values[n]:.6g}" for values in series.values())] for n, category in enumerate(categories)]
    plots = [f'$data using {2 + n}:xtic(1) title "{name}" lc rgb "{COLOURS[n % len(COLOURS)]}"' for n, name in enumerate(series)]
    _draw(file, title, ylabel, _table(rows) + "set style data histograms\nset style histogram rowstacked\nset boxwidth 0.6\n"
          "set style fill solid 0.9\nset xtics noenhanced\nplot " + ", ".join(plots) + "\n")


def lines(file: pathlib.Path, title: str, xlabel: str, ylabel: str, xs: list[int], series: dict[str, list[Spread | None]]) -> None:
    rows = [[str(x), *(cell for values in series.values() for cell in _triple(values[n]))] for n, x in enumerate(xs)]
    plots = [f'$data using 1:{2 + 3 * n}:{3 + 3 * n}:{4 + 3 * n} with yerrorlines title "{name}" lw 2 pt 7 '
             f'lc rgb "{COLOURS[n % len(COLOURS)]}"' for n, name in enumerate(series)]
    _draw(file, title, ylabel, _table(rows) + f'set xlabel "{xlabel}"\nset xtics 1\nset xrange [{xs[0] - 0.3}:{xs[-1] + 0.3}]\nplot '
          + ", ".join(plots) + "\n")
