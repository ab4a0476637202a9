"""A text field of GTK 3 that writes what it holds to a file: gtk3.py FILE"""
import os
import sys

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk

path = sys.argv[1]
window = Gtk.Window(title="gtk")
view = Gtk.TextView()
window.add(view)
window.connect("destroy", Gtk.main_quit)
window.show_all()
view.grab_focus()


def save():
    buffer = view.get_buffer()
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(buffer.get_text(*buffer.get_bounds(), True))
    os.replace(path + ".new", path)
    return True


GLib.timeout_add(200, save)
Gtk.main()
