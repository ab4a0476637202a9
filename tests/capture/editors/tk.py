"""A text field of Tk that writes what it holds to a file: tk.py FILE [SECONDS that each key takes]"""
import os
import sys
import time
import tkinter

path, pause = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0
root = tkinter.Tk()
text = tkinter.Text(root)
text.pack(expand=True, fill="both")
text.focus_force()
if pause:
    text.bind("<Key>", lambda event: time.sleep(pause) if event.char else None)


def save(event=None):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text.get("1.0", "end-1c"))
    os.replace(path + ".new", path)
    if event is None:
        root.after(200, save)


# Behind the class's own bindings, so that what was typed is there; timers come only when no event waits.
text.bindtags(text.bindtags() + ("behind",))
root.bind_class("behind", "<Key>", save)
save()
root.mainloop()
