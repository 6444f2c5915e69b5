/** A terminal in memory (xterm, headless): what a log's bytes look like. Loaded with the first screen. */
import type { Terminal } from "@xterm/headless";
import type { Screen } from "./contract.ts";

const load = async () => {
  const [headless, serialize, unicode] = await Promise.all([import("@xterm/headless"), import("@xterm/addon-serialize"), import("@xterm/addon-unicode11")]);
  return { Terminal: headless.default.Terminal, SerializeAddon: serialize.SerializeAddon, Unicode11Addon: unicode.Unicode11Addon };
};

const lineOf = (terminal: Terminal, row: number): string => terminal.buffer.active.getLine(row)?.translateToString(true) ?? "";

export const openScreen = async ({ columns, rows, scrollback = 1000 }: { readonly columns: number; readonly rows: number; readonly scrollback?: number }): Promise<Screen> => {
  const { Terminal, SerializeAddon, Unicode11Addon } = await load();
  const terminal = new Terminal({ cols: columns, rows, scrollback, allowProposedApi: true });
  const serializer = new SerializeAddon();
  terminal.loadAddon(serializer);
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = "11";
  return {
    get columns() { return terminal.cols; },
    get rows() { return terminal.rows; },
    write: (data) => new Promise((resolve) => terminal.write(data, resolve)),
    resize: (columns, rows) => terminal.resize(columns, rows),
    keyframe: (scrollbackLines) => serializer.serialize({ scrollback: scrollbackLines }),
    text: (lines) => {
      const { active } = terminal.buffer;
      let end = active.length;
      while (end > 0 && lineOf(terminal, end - 1) === "") end--;
      const start = Math.max(0, end - lines);
      return Array.from({ length: end - start }, (_, n) => lineOf(terminal, start + n));
    },
    visible: (upTo) => {
      const { active } = terminal.buffer;
      const end = upTo === "cursor" ? active.cursorY + 1 : terminal.rows;
      return Array.from({ length: end }, (_, row) => {
        const line = active.getLine(active.baseY + row);
        return (upTo === "cursor" && row === active.cursorY ? line?.translateToString(false, 0, active.cursorX) : line?.translateToString(true)) ?? "";
      });
    },
    modes: () => ({
      bracketedPaste: terminal.modes.bracketedPasteMode, alternate: terminal.buffer.active.type === "alternate",
      mouse: terminal.modes.mouseTrackingMode !== "none", applicationCursor: terminal.modes.applicationCursorKeysMode,
    }),
    cursor: () => ({ column: terminal.buffer.active.cursorX, row: terminal.buffer.active.cursorY }),
    dispose: () => terminal.dispose(),
  };
};
