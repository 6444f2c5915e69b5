/**
 * The program of a viewer pane: a constant `/bin/sh` script; the seat's directory comes as its argument. It shows `current` and appends typed lines to `typed`.
 *
 * I1 A typed line is one write of one process: whole in the file, never mixed with another. At most 4095 bytes long, which is what the kernel keeps of a line being typed.
 * I2 No key ends it: signals of the keyboard, end of input and flow control are off. It ends with its terminal or by a signal.
 * I3 `tail` may die (somebody ended it, no memory): what it would have shown is shown again by the next one.
 */

// Notes on the script, which must stay free of comments because `ps` shows it:
// - tail of GNU takes one inotify instance each, of 128 a user; without it, it polls, and switches to a new segment after one quiet look;
// - a read loop's failure means that the terminal is gone, or a signal: it must not spin;
// - a line of printable ASCII is clean as it is; in others control characters go byte by byte (C locale), those of U+0080 to U+009F too; a tab becomes a blank.
export const viewerScript = `
PATH=/usr/bin:/bin:$PATH LC_ALL=C
export PATH LC_ALL
cd "$1" || exit 1
stty -isig -ixon -iexten erase '^?' eof undef 2>/dev/null
stty iutf8 2>/dev/null
show() { tail -n 200 -F current; }
if tail ---disable-inotify -n 0 /dev/null 2>/dev/null; then show() { tail ---disable-inotify --max-unchanged-stats=1 -s 0.2 -n 200 -F current; }; fi
(
  exec </dev/null
  while :; do
    show 2>/dev/null
    sleep 1
    printf '\\033[0m\\033[H\\033[2J'
  done
) &
first=$(printf '\\302') from=$(printf '\\200') to=$(printf '\\237')
while :; do
  IFS= read -r line || { sleep 1; continue; }
  case $line in *[!\\ -~]*) line=$(printf '%s' "$line" | tr '\\011' ' ' | tr -d '\\000-\\037\\177' | sed "s/$first[$from-$to]//g") ;; esac
  case $line in *[!\\ ]*) ;; *) continue ;; esac
  if printf '%s\\n' "$line" 2>/dev/null >>typed; then printf '\\033[2m» queued\\033[0m\\n'; else printf '\\033[2m» not taken: the line could not be written\\033[0m\\n'; fi
done
`;
