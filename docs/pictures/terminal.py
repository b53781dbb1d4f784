#!/usr/bin/env python3
"""Runs a command in a terminal of its own and paints what is on its screen.

    docs/pictures/terminal.py OUT.png COLUMNS LINES SECONDS|end [KEYS] -- COMMAND...

Wants pyte and Pillow (pip install pyte pillow), and DejaVu Sans Mono. KEYS are pressed one after another
before the picture is taken.
"""
import fcntl, os, pty, select, signal, struct, sys, termios, time

import pyte
from PIL import Image, ImageDraw, ImageFont

PAPER, INK = "#15181e", "#c8d0e0"
COLOURS = {
    "black": "#15181e", "red": "#f7768e", "green": "#9ece6a", "brown": "#e0af68", "yellow": "#e0af68",
    "blue": "#7aa2f7", "magenta": "#bb9af7", "cyan": "#7dcfff", "white": "#c0caf5",
}
FONT, SIZE, HEIGHT, EDGE = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono", 15, 20, 16


# The first sixteen of the many colours are those of the terminal.
for index, name in enumerate(["black", "red", "green", "brown", "blue", "magenta", "cyan", "white"] * 2):
    pyte.graphics.FG_BG_256[index] = name


class Screen(pyte.Screen):
    """pyte knows no dim letters: they are told apart by italics, which nobody else uses here."""

    def select_graphic_rendition(self, *attributes, **more):
        # Behind 38 and 48 a number is a colour.
        is_colour = attributes[:1] in ((38,), (48,))
        dim_as_italics = [3 if one == 2 and not is_colour else one for one in attributes]
        super().select_graphic_rendition(*dim_as_italics, **more)
        if 22 in attributes:
            super().select_graphic_rendition(23)


def colour(name, otherwise):
    name = name.replace("bright", "")
    if name in COLOURS:
        return COLOURS[name]
    return f"#{name}" if len(name) == 6 and name != "default" else otherwise


def blend(one, other, share):
    parts = [(int(one[at:at + 2], 16), int(other[at:at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in parts)


def watch(columns, lines, seconds, keys, command):
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns))
        os.environ.pop("NO_COLOR", None)
        time.sleep(0.1)
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    screen = Screen(columns, lines)
    stream = pyte.ByteStream(screen)
    end = None if seconds == "end" else time.time() + float(seconds)
    pressing = None if end is None else end - 0.5 * (len(keys) + 1)
    while end is None or time.time() < end:
        if keys and pressing is not None and time.time() >= pressing:
            os.write(terminal, keys[0].encode())
            keys, pressing = keys[1:], pressing + 0.5
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                told = os.read(terminal, 65536)
            except OSError:
                break
            if not told:
                break
            stream.feed(told)
    try:
        os.kill(child, signal.SIGINT)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    return screen


def paint(screen, columns, lines, out):
    plain, bold = ImageFont.truetype(FONT + ".ttf", SIZE), ImageFont.truetype(FONT + "-Bold.ttf", SIZE)
    width = plain.getlength("M")
    used = [y for y in range(lines) if any(cell.data != " " for cell in screen.buffer[y].values())]
    last = max(used, default=0)
    image = Image.new("RGB", (int(width * columns) + 2 * EDGE, HEIGHT * (last + 1) + 2 * EDGE), PAPER)
    draw = ImageDraw.Draw(image)
    for y in range(last + 1):
        for x in range(columns):
            cell = screen.buffer[y][x]
            ink, paper = colour(cell.fg, INK), colour(cell.bg, PAPER)
            if cell.italics:
                ink = blend(ink, paper, 0.55)
            if cell.reverse:
                ink, paper = paper, ink
            left, top = EDGE + x * width, EDGE + y * HEIGHT
            if paper != PAPER:
                draw.rectangle([left, top, left + width, top + HEIGHT - 1], fill=paper)
            if cell.data not in ("", " "):
                draw.text((left, top + 1), cell.data, font=bold if cell.bold else plain, fill=ink)
    image.save(out, optimize=True)


def main():
    at = sys.argv.index("--")
    out, columns, lines, seconds, *keys = sys.argv[1:at]
    columns, lines = int(columns), int(lines)
    typed = [{"enter": "\r", "down": "\x1b[B"}.get(key, key) for key in keys]
    paint(watch(columns, lines, seconds, typed, sys.argv[at + 1:]), columns, lines, out)


main()
